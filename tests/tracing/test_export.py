"""Delivering traces: batches, attempts, deadlines, and what a server is sent."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from recording import Recorder

from outlast.tracing import Span, Trace, TracingExporter
from outlast.tracing.export_limits import CUT, MAX_FIELD_BYTES, cut, cut_text, fitted, json_size
from outlast.tracing.exporters import BackendSpanExporter, ConsoleSpanExporter, FileSpanExporter
from outlast.tracing.processors import BatchTraceProcessor
from outlast.tracing.span_data import CustomSpanData, GenerationSpanData, SpanData
from outlast.tracing.spans import SpanImpl
from outlast.tracing.traces import TraceImpl

Item = Trace | Span[Any]


def a_trace(key: str | None = None) -> TraceImpl:
    return TraceImpl("w", "trace_1", None, None, Recorder(), key)


def a_span(data: SpanData | None = None) -> SpanImpl[Any]:
    about = data or CustomSpanData("a", {})
    return SpanImpl("trace_1", "span_1", None, Recorder(), about, None)


class Collecting(TracingExporter):
    def __init__(self) -> None:
        self.batches: list[list[Item]] = []
        self.arrived = threading.Event()

    def export(self, items: list[Item]) -> None:
        self.batches.append(items)
        self.arrived.set()


class Server:
    """An ingest endpoint that gives the answers it is told to, then 204."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.times: list[float] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((dict(self.headers), json.loads(body)))
                server.times.append(time.monotonic())
                status, headers = server.answers.pop(0) if server.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"

    def sent(self) -> list[Any]:
        return [item for _, body in self.requests for item in body["data"]]


@pytest.fixture
def server() -> Generator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


@pytest.fixture
def uploader(server: Server) -> Generator[Callable[..., BackendSpanExporter]]:
    made: list[BackendSpanExporter] = []

    def make(**options: Any) -> BackendSpanExporter:
        given = {"api_key": "k", "endpoint": server.url, "base_delay": 0.01, "max_delay": 0.05}
        made.append(BackendSpanExporter(**(given | options)))
        return made[-1]

    yield make
    for one in made:
        one.close()


Uploader = Callable[..., BackendSpanExporter]


def test_items_are_delivered_in_batches_in_their_order():
    exporter = Collecting()
    processor = BatchTraceProcessor(exporter, max_batch_size=2, schedule_delay=60)
    work, first, second = a_trace(), a_span(), a_span()
    processor.on_trace_start(work)
    processor.on_span_start(first)
    processor.on_span_end(first)
    processor.on_span_end(second)
    processor.on_trace_end(work)
    processor.force_flush()
    assert exporter.batches == [[work, first], [second]]
    processor.shutdown()


def test_a_queue_that_fills_up_is_delivered_before_its_time():
    exporter = Collecting()
    processor = BatchTraceProcessor(exporter, max_queue_size=2, schedule_delay=60)
    processor.on_span_end(a_span())
    assert exporter.arrived.wait(60)
    processor.shutdown()


def test_what_does_not_fit_is_dropped_with_a_warning(caplog: pytest.LogCaptureFixture):
    held = threading.Event()

    class Slow(Collecting):
        def export(self, items: list[Item]) -> None:
            super().export(items)
            held.wait(60)

    exporter = Slow()
    processor = BatchTraceProcessor(exporter, max_queue_size=1, schedule_delay=60)
    processor.on_span_end(a_span())
    assert exporter.arrived.wait(60)
    for _ in range(3):
        processor.on_span_end(a_span())
    held.set()
    processor.shutdown()
    assert sum(len(batch) for batch in exporter.batches) == 2
    assert "dropped" in caplog.text


def test_a_failing_exporter_loses_one_batch(caplog: pytest.LogCaptureFixture):
    class Flaky(Collecting):
        def export(self, items: list[Item]) -> None:
            super().export(items)
            if len(self.batches) == 1:
                raise RuntimeError("content")

    exporter = Flaky()
    processor = BatchTraceProcessor(exporter, max_batch_size=1, schedule_delay=60)
    processor.on_span_end(a_span())
    processor.on_span_end(a_span())
    processor.shutdown()
    assert len(exporter.batches) == 2
    assert "content" not in caplog.text


def test_shutdown_does_not_wait_longer_than_told(caplog: pytest.LogCaptureFixture):
    held = threading.Event()

    class Stuck(Collecting):
        def export(self, items: list[Item]) -> None:
            super().export(items)
            held.wait(60)

    exporter = Stuck()
    processor = BatchTraceProcessor(exporter, max_queue_size=1, schedule_delay=60)
    processor.on_span_end(a_span())
    assert exporter.arrived.wait(60)
    processor.shutdown(timeout=0.05)
    assert "shutdown timeout reached" in caplog.text
    held.set()
    processor.shutdown(timeout=60)


def test_one_request_carries_what_was_collected(server: Server, uploader: Uploader):
    uploader(organization="o", project="p").export([a_trace(), a_span()])
    [(headers, body)] = server.requests
    assert headers["Authorization"] == "Bearer k"
    assert headers["OpenAI-Beta"] == "traces=v1"
    assert (headers["OpenAI-Organization"], headers["OpenAI-Project"]) == ("o", "p")
    assert [item["object"] for item in body["data"]] == ["trace", "trace.span"]


@pytest.mark.parametrize(
    ("answers", "posts"),
    [
        ([(400, {})], 1),
        ([(400, {"x-should-retry": "true"})], 1),
        ([(500, {"x-should-retry": "false"})], 1),
        ([(429, {"x-should-retry": "false"})], 1),
        ([(408, {})], 2),
        ([(500, {}), (500, {})], 3),
        ([(503, {})] * 9, 3),
    ],
)
def test_attempts_depend_on_the_answer(
    server: Server, uploader: Uploader, answers: list[tuple[int, dict[str, str]]], posts: int
):
    server.answers = answers
    uploader().export([a_span()])
    assert len(server.requests) == posts


def test_the_server_may_ask_to_wait_up_to_a_bound(server: Server, uploader: Uploader):
    server.answers = [(429, {"Retry-After": "600"})]
    uploader(max_delay=0.2).export([a_span()])
    first, second = server.times
    assert 0.2 <= second - first < 60


def test_a_network_error_is_tried_again_and_given_up(caplog: pytest.LogCaptureFixture):
    exporter = BackendSpanExporter("k", endpoint="http://127.0.0.1:9/", base_delay=0.001)
    exporter.export([a_span()])
    assert "Giving up" in caplog.text
    exporter.close()


def test_shutdown_ends_a_wait_between_attempts(server: Server, uploader: Uploader):
    server.answers = [(500, {})] * 99
    exporter = uploader(base_delay=60, max_delay=60, max_retries=99)
    processor = BatchTraceProcessor(exporter, max_queue_size=1, schedule_delay=60)
    processor.on_span_end(a_span())
    while not server.requests:
        time.sleep(0.01)
    begun = time.monotonic()
    processor.shutdown(timeout=100)
    assert time.monotonic() - begun < 50


def test_a_last_delivery_uses_the_time_it_has(server: Server, uploader: Uploader):
    server.answers = [(500, {})]
    processor = BatchTraceProcessor(uploader(), schedule_delay=60)
    processor.on_span_end(a_span())
    processor.shutdown(timeout=60)
    assert len(server.requests) == 2


def test_traces_with_keys_of_their_own_go_in_requests_of_their_own(
    server: Server, uploader: Uploader
):
    uploader().export([a_trace("other"), a_trace(), a_trace("other")])
    bearers = [headers["Authorization"] for headers, _ in server.requests]
    assert bearers == ["Bearer other", "Bearer k"]


def test_without_a_key_nothing_is_sent(
    server: Server, uploader: Uploader, caplog: pytest.LogCaptureFixture
):
    exporter = uploader(api_key=None)
    exporter.export([a_span()])
    exporter.export([a_span()])
    assert server.requests == []
    assert caplog.text.count("OPENAI_API_KEY") == 1


def test_a_key_found_in_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch):
    exporter = BackendSpanExporter()
    assert exporter.api_key is None
    monkeypatch.setenv("OPENAI_API_KEY", "first")
    assert exporter.api_key == "first"
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    assert exporter.api_key == "first"
    exporter.set_api_key("")
    assert exporter.api_key == "second"
    exporter.close()


def test_what_is_no_json_is_left_out(server: Server, uploader: Uploader):
    circle: list[Any] = []
    circle.append(circle)
    data = {
        "nan": float("nan"),
        "bytes": b"x",
        "half": "x\ud800y",
        "circle": circle,
        200: "int",
        None: "none",
        (1, 2): "tuple",
        "ok": (1, 2),
    }
    uploader().export([a_span(CustomSpanData("a", data))])  # type: ignore[arg-type]  # as users do
    [sent] = server.sent()
    expected = {"half": "x?y", "circle": [], "200": "int", "null": "none", "ok": [1, 2]}
    assert sent["span_data"]["data"] == expected


def test_the_console_shows_content_only_if_logs_may(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    exporter = ConsoleSpanExporter()
    exporter.export([a_trace(), a_span(CustomSpanData("secret", {}))])
    assert "secret" not in capsys.readouterr().out
    monkeypatch.setattr("outlast.definitions.debug.DONT_LOG_MODEL_DATA", False)
    monkeypatch.setattr("outlast.definitions.debug.DONT_LOG_TOOL_DATA", False)
    exporter.export([a_span(CustomSpanData("secret", {}))])
    assert "secret" in capsys.readouterr().out


def span_of(**data: Any) -> dict[str, Any]:
    return {"object": "trace.span", "span_data": data}


def test_a_span_that_fits_is_sent_as_it_is():
    usage = {"input_tokens": 1, "output_tokens": 2}
    messages = [{"role": "assistant", "content": "hi"}]
    exported = span_of(type="generation", input=messages, output=messages, usage=usage)
    assert fitted(exported) is exported


def test_reasoning_of_a_model_is_not_uploaded():
    said = {
        "role": "assistant",
        "reasoning_content": "SECRET",
        "content": [{"type": "thinking", "thinking": "SECRET"}, {"type": "text", "text": "hi"}],
    }
    asked = {"role": "user", "content": [{"type": "thinking", "thinking": "the user's own"}]}
    exported = span_of(type="generation", input=[asked, said], output=({"type": "reasoning"}, said))
    data = fitted(exported)["span_data"]
    shown = {"role": "assistant", "content": [{"type": "text", "text": "hi"}]}
    assert data["input"] == [asked, shown]
    assert data["output"] == [shown]
    assert "SECRET" in str(exported)


def test_reasoning_in_a_whole_response_is_not_uploaded():
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]}
    response = {"object": "response", "output": [{"type": "reasoning", "summary": "S"}, answer]}
    exported = span_of(type="generation", output=[response])
    assert fitted(exported)["span_data"]["output"] == [{"object": "response", "output": [answer]}]


@pytest.mark.parametrize(
    ("usage", "sent"),
    [
        (
            {"input_tokens": 1, "output_tokens": 2, "requests": 1, "details": {"p": object()}},
            {"input_tokens": 1, "output_tokens": 2, "details": {"requests": 1}},
        ),
        ({"input_tokens": 1}, None),
        ({"input_tokens": True, "output_tokens": 1}, None),
        ({"input_tokens": float("inf"), "output_tokens": 1}, None),
        ("many", None),
    ],
)
def test_usage_is_two_counts_and_details(usage: Any, sent: Any):
    assert fitted(span_of(type="generation", usage=usage))["span_data"].get("usage") == sent


def test_usage_is_for_generations_only():
    assert "usage" not in fitted(span_of(type="function", usage={"requests": 1}))["span_data"]


@pytest.mark.parametrize(
    "value",
    [
        "x" * 200_000,
        '\\"' * 90_000,
        {"blob": "x" * 200_000, "small": 1},
        [{"role": "user", "content": [{"input_audio": {"data": "x" * 200_000}}]}],
        [{"role": "user", "content": "x" * 5_000} for _ in range(200)],
        {f"key {index}" * 20: "value" for index in range(2_000)},
        ["x"] * 100_000,
    ],
    ids=["text", "escapes", "mapping", "nested", "history", "keys", "list"],
)
def test_a_large_field_is_cut_in_its_own_shape(value: Any):
    sent = fitted(span_of(type="function", output=value))["span_data"]["output"]
    size = json_size(sent)
    assert size is not None
    assert MAX_FIELD_BYTES * 0.9 < size <= MAX_FIELD_BYTES
    assert type(sent) is type(value)


def test_small_members_survive_a_large_one():
    cut_down = cut({"big": "x" * 1000, "id": "call_1"}, 100)
    assert cut_down["id"] == "call_1"
    assert cut_down["big"].endswith(CUT)


def test_of_a_long_history_the_end_is_kept():
    history = [{"content": f"{index}" + "x" * 50} for index in range(100)]
    kept = cut(history, 1000)
    assert kept[-1] == history[-1]
    assert json_size(kept) <= 1000  # type: ignore[operator]  # it is JSON


@pytest.mark.parametrize("limit", range(2, 40))
def test_a_text_is_cut_to_any_limit(limit: int):
    assert (json_size(cut_text("\u00e9\\" * 50, limit)) or 0) <= limit


def test_what_cannot_be_shown_is_named():
    sent = fitted(span_of(type="function", output=b"x" * 10))["span_data"]["output"]
    assert sent["preview"] == "<bytes bytes=10 truncated>"


def test_generation_data_may_be_any_sequence(server: Server, uploader: Uploader):
    data = GenerationSpanData(input=({"role": "user", "content": "hi"},))
    uploader().export([a_span(data)])
    assert server.sent()[0]["span_data"]["input"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("kind", [["thinking"], {"a": 1}])
def test_a_part_whose_type_is_no_text_is_uploaded_as_it_is(kind: Any):
    exported = span_of(
        type="generation", output=[{"role": "assistant", "content": [{"type": kind}]}]
    )
    assert fitted(exported) is exported


def test_a_process_ends_in_the_time_it_has_however_long_the_exporter_would_try(
    failing_server: str,
):
    program = f"""
import time
from outlast import tracing
from outlast.tracing.exporters import BackendSpanExporter
from outlast.tracing.processors import BatchTraceProcessor
exporter = BackendSpanExporter(
    api_key="k", endpoint={failing_server!r}, base_delay=10, max_delay=10, max_retries=100
)
processor = BatchTraceProcessor(exporter, schedule_delay=0.01)
tracing.add_trace_processor(processor)
with tracing.trace("w"), tracing.custom_span("a"):
    pass
time.sleep(0.3)
began = time.monotonic()
processor.shutdown(timeout=0.2)
print(time.monotonic() - began, processor.dropped)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    took, dropped = ran.stdout.split()
    assert float(took) < 8  # The next attempt would begin after ten seconds.
    assert int(dropped) == 2


def test_what_a_server_refuses_is_counted(server: Server, uploader: Uploader):
    server.answers = [(400, {})]
    processor = BatchTraceProcessor(uploader(), schedule_delay=60)
    processor.on_span_end(a_span())
    processor.force_flush()
    processor.on_span_end(a_span())
    processor.force_flush()
    assert processor.dropped == 1
    processor.shutdown()


def test_a_file_gets_a_line_for_each(tmp_path: Path):
    exporter = FileSpanExporter(tmp_path / "traces" / "t.jsonl")
    exporter.export([a_trace(), a_span(CustomSpanData("ü\ud800", {"x": float("nan")}))])
    exporter.export([a_span()])
    lines = (tmp_path / "traces" / "t.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["object"] for line in lines] == ["trace", "trace.span", "trace.span"]
    assert (tmp_path / "traces" / "t.jsonl").stat().st_mode & 0o77 == 0
