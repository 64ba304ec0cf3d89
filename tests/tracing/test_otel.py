"""Runs in OpenTelemetry: a collector over a real socket hears of them, and can do nothing to them."""

import asyncio
import logging
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from collector import Collector, facts

from outlast import (
    Agent,
    RunConfig,
    Runner,
    add_trace_processor,
    custom_span,
    export_run,
    export_to_otlp,
    function_tool,
    set_trace_processors,
)
from outlast.otel import OtlpExport, otlp_processor
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.tracing import scope, watching


@pytest.fixture
def collector() -> Generator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def export(collector: Collector) -> Generator[OtlpExport]:
    made = export_to_otlp(collector.url, service_name="desk")
    logging.getLogger("outlast").setLevel(logging.INFO)
    yield made
    made.shutdown(1.0)
    scope.mirror_spans(None)
    for handler in logging.getLogger("outlast").handlers[:]:
        if type(handler).__name__ == "OtelLogHandler":
            logging.getLogger("outlast").removeHandler(handler)
    logging.getLogger("outlast").setLevel(logging.NOTSET)
    for each in watching.observers():
        watching.ignore(each)


def two_agents() -> Agent[Any]:
    @function_tool
    def add(a: int, b: int) -> str:
        """Add."""
        from opentelemetry import trace

        with custom_span("by hand"):
            is_below = trace.get_current_span().get_span_context().is_valid
        return f"{a + b} {is_below}"

    second = [assistant_message("done")]
    first = [
        [function_call("add", {"a": 1, "b": 2}, call_id="c1")],
        [function_call("transfer_to_b", {}, call_id="c2")],
    ]
    b = Agent(name="b", model=ScriptedModel([second], emit_traces=True))
    model = ScriptedModel(first, emit_traces=True)
    return Agent(name="a", tools=[add], handoffs=[b], model=model)


TREE = [
    ("invoke_workflow Agent workflow", ""),
    ("invoke_agent a", "invoke_workflow Agent workflow"),
    ("turn 1", "invoke_agent a"),
    ("chat", "turn 1"),
    ("execute_tool add", "turn 1"),
    ("by hand", "execute_tool add"),
    ("turn 2", "invoke_agent a"),
    ("chat", "turn 2"),
    ("handoff b", "turn 2"),
    ("invoke_agent b", "invoke_workflow Agent workflow"),
    ("turn 3", "invoke_agent b"),
    ("chat", "turn 3"),
]


async def test_a_collector_hears_of_a_run_by_the_conventions(
    collector: Collector, export: OtlpExport
):
    config = RunConfig(journal="memory", group_id="conversation-1", trace_metadata={"team": "desk"})
    result = await Runner.run(two_agents(), "hi", run_id="order-1", run_config=config)
    export.flush()
    assert collector.tree() == TREE
    assert result.new_items[1].output == "3 True"
    spans = {span.name: facts(span) for span in collector.spans()}
    tool = spans["execute_tool add"]
    assert tool["gen_ai.operation.name"] == "execute_tool"
    assert tool["gen_ai.tool.name"] == "add"
    assert "gen_ai.tool.call.arguments" not in tool
    workflow = spans["invoke_workflow Agent workflow"]
    assert workflow["gen_ai.conversation.id"] == "conversation-1"
    assert workflow["outlast.metadata.team"] == "desk"
    names = set(collector.metrics())
    assert {"gen_ai.client.operation.duration", "outlast.runs"} <= names
    said = [facts(record).get("outlast.run_id") for record in collector.logs()]
    assert "order-1" in said
    assert export.dropped == 0


async def test_what_was_said_is_sent_only_where_the_program_asks_for_it(collector: Collector):
    for has_content in (False, True):
        processor = otlp_processor(collector.url, capture_content=has_content)
        set_trace_processors([processor])
        await Runner.run(two_agents(), "hi", run_config=RunConfig(journal="memory"))
        processor.shutdown(1.0)
    tools = [facts(span) for span in collector.spans() if span.name == "execute_tool add"]
    assert [each.get("gen_ai.tool.call.arguments") for each in tools] == [None, '{"a":1,"b":2}']


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500, 503])
async def test_no_sink_that_refuses_changes_a_run(status: int):
    sink = Collector(status)
    processor = otlp_processor(sink.url)
    add_trace_processor(processor)
    result = await Runner.run(two_agents(), "hi", run_config=RunConfig(journal="memory"))
    processor.shutdown(0.2)
    sink.close()
    assert result.final_output == "done"
    assert (processor.dropped > 0) == (status != 200)


async def test_a_sink_that_hangs_holds_up_no_run():
    sink = Collector(is_open=False)
    processor = otlp_processor(sink.url)
    add_trace_processor(processor)
    delivering = threading.Thread(target=processor.force_flush)
    for _ in range(3):
        await Runner.run(two_agents(), "hi", run_config=RunConfig(journal="memory"))
        if not delivering.is_alive():
            delivering = threading.Thread(target=processor.force_flush)
            delivering.start()
            assert await asyncio.to_thread(sink.asked.wait, 10)
    assert sink.answered == 0
    sink.gate.set()
    delivering.join()
    processor.shutdown(5.0)
    sink.close()
    assert processor.dropped == 0


async def test_a_dead_sink_drops_and_counts_what_the_queue_does_not_hold():
    processor = otlp_processor("http://127.0.0.1:9")
    add_trace_processor(processor)
    for _ in range(3):
        await Runner.run(two_agents(), "hi", run_config=RunConfig(journal="memory"))
    began = time.monotonic()
    processor.shutdown(0.2)
    assert time.monotonic() - began < 8  # It would try for ten seconds.
    assert processor.dropped > 0


async def test_a_run_is_exported_from_its_log_under_the_same_ids(
    collector: Collector, tmp_path: Path
):
    journal = str(tmp_path / "journal.db")
    live = otlp_processor(collector.url)
    set_trace_processors([live])
    await Runner.run(two_agents(), "hi", run_id="r", run_config=RunConfig(journal=journal))
    live.shutdown(1.0)
    own = {span.span_id for span in collector.spans() if span.name != "by hand"}
    trace_ids = {span.trace_id for span in collector.spans()}
    afterwards = otlp_processor(collector.url)
    told = await export_run("r", afterwards, journal=journal)
    afterwards.shutdown(1.0)
    again = collector.spans()[len(own) + 1 :]
    assert told == len(own)
    assert {span.span_id for span in again} == own
    assert {span.trace_id for span in again} == trace_ids


def test_without_opentelemetry_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    import sys

    from outlast import UserError

    monkeypatch.setitem(sys.modules, "outlast.otel.exporter", None)
    packages = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
    with pytest.raises(UserError, match=rf"Install it: pip install {packages}\."):
        otlp_processor("http://127.0.0.1:9")


async def test_parallel_runs_keep_their_spans_apart(collector: Collector, export: OtlpExport):
    config = RunConfig(journal="memory")
    await asyncio.gather(*(Runner.run(two_agents(), "hi", run_config=config) for _ in range(5)))
    export.flush()
    assert len(collector.tree()) == 5 * len(TREE)
    by_trace: dict[bytes, int] = {}
    for span in collector.spans():
        by_trace[span.trace_id] = by_trace.get(span.trace_id, 0) + 1
    assert set(by_trace.values()) == {len(TREE)}
