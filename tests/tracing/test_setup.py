"""Who is told of traces: nobody unless asked, and then everybody who is."""

import json
import logging
import subprocess
import sys
from typing import Any, cast

import pytest
from recording import Recorder

from outlast import tracing
from outlast.tracing import custom_span, get_current_trace, setup, trace
from outlast.tracing.config import include_task_and_turn_spans
from outlast.tracing.context import TraceCtxManager, create_trace_for_run, get_model_tracing_impl
from outlast.tracing.provider import DefaultTraceProvider
from outlast.tracing.span_data import SpanData
from outlast.tracing.spans import NoOpSpan, SpanImpl
from outlast.tracing.traces import NoOpTrace, ReattachedTrace, TraceImpl, TraceState
from outlast.tracing.util import gen_group_id


def test_nobody_listens_unless_asked():
    assert not tracing.is_listening()
    with trace("w") as work, custom_span("a", {"k": 1}) as span:
        assert get_current_trace() is work
        assert isinstance(span, NoOpSpan)
        span.span_data.data["k"] = 2
    assert work.name == "w"
    assert work.trace_id.startswith("trace_")
    assert get_current_trace() is None


def test_a_trace_nobody_hears_of_makes_no_id():
    class Counting(DefaultTraceProvider):
        made = 0

        def gen_trace_id(self) -> str:
            self.made += 1
            return super().gen_trace_id()

    counting = Counting(quiet=True)
    tracing.set_trace_provider(counting)
    with trace("w") as work, custom_span("a"):
        pass
    assert counting.made == 0
    assert work.trace_id == work.trace_id
    assert counting.made == 1


def test_a_processor_added_in_a_trace_hears_of_later_spans():
    with trace("w"):
        recorder = Recorder()
        tracing.add_trace_processor(recorder)
        assert tracing.is_listening()
        with custom_span("a"):
            pass
    assert recorder.told == [("span start", "a"), ("span end", "a")]


def test_a_processor_added_twice_is_told_once(recorder: Recorder):
    tracing.add_trace_processor(recorder)
    with trace("w"):
        pass
    assert len(recorder.told) == 2


def test_a_failing_processor_breaks_nothing(recorder: Recorder, caplog: pytest.LogCaptureFixture):
    class Failing(Recorder):
        def on_trace_start(self, trace: tracing.Trace) -> None:
            raise RuntimeError(trace.name)

    tracing.set_trace_processors([Failing(), recorder])
    with trace("secret workflow"), custom_span("a"):
        pass
    assert len(recorder.told) == 4
    assert "failed in" in caplog.text
    assert "secret" not in caplog.text


def test_the_environment_disables_and_a_call_enables(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    provider = DefaultTraceProvider()
    provider.register_processor(Recorder())
    assert isinstance(provider.create_trace("w"), NoOpTrace)
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "0")
    assert not provider.is_listened_to()
    provider.set_disabled(False)
    assert isinstance(provider.create_trace("w"), TraceImpl)
    assert provider.is_listened_to()


def test_a_disabled_provider_still_flushes_and_shuts_down(recorder: Recorder):
    tracing.set_tracing_disabled(True)
    assert not tracing.is_listening()
    tracing.flush_traces()
    tracing.get_trace_provider().shutdown()
    assert recorder.is_flushed
    assert recorder.told == [("shutdown", "")]


def test_a_disabled_span_is_logged_without_content(
    provider: DefaultTraceProvider, recorder: Recorder, caplog: pytest.LogCaptureFixture
):
    provider.set_disabled(True)
    with caplog.at_level(logging.DEBUG, logger="openai.agents"):
        custom_span("secret")
    assert "Not creating span" in caplog.text
    assert "secret" not in caplog.text


def test_a_provider_of_another_system_is_listening():
    class Foreign(tracing.TraceProvider):
        """As another tracing system makes one: it alone knows who is told."""

        def register_processor(self, processor: tracing.TracingProcessor) -> None:
            """Nothing."""

        def set_processors(self, processors: list[tracing.TracingProcessor]) -> None:
            """Nothing."""

        def get_current_trace(self) -> None:
            """Nothing."""

        def get_current_span(self) -> None:
            """Nothing."""

        def set_disabled(self, disabled: bool) -> None:
            """Nothing."""

        def create_trace(self, *args: object, **kwargs: object) -> tracing.Trace:
            return NoOpTrace()

        def create_span(self, span_data: SpanData, *args: object, **kwargs: object):
            return NoOpSpan(span_data)

    tracing.set_trace_provider(Foreign())
    assert tracing.is_listening()
    with trace("w"), custom_span("a"):
        pass
    tracing.flush_traces()


def test_importing_and_tracing_start_nothing():
    code = """
import json, sys, threading
import outlast.tracing as t
with t.trace("w"):
    with t.custom_span("a"): pass
t.set_tracing_export_api_key("k")
t.flush_traces()
heavy = [name for name in ("httpx2", "httpx", "openai", "pydantic") if name in sys.modules]
print(json.dumps([heavy, threading.active_count()]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], 1]


@pytest.mark.parametrize(("value", "listens"), [("openai", True), ("off", False)])
def test_one_variable_turns_upload_on(
    monkeypatch: pytest.MonkeyPatch, value: str, *, listens: bool
):
    monkeypatch.setenv("OUTLAST_TRACE_EXPORT", value)
    code = "import outlast.tracing as t; print(t.is_listening())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(listens)


def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OUTLAST_TRACE_EXPORT", "opneai")
    code = "import outlast.tracing as t; t.is_listening()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "'opneai'" in done.stderr


def test_one_call_turns_upload_on():
    tracing.enable_openai_export()
    tracing.enable_openai_export()
    assert tracing.is_listening()
    tracing.set_trace_processors([])


def state_of(work: tracing.Trace) -> TraceState:
    state = TraceState.from_trace(work)
    assert state is not None
    return state


def trace_for_run(state: TraceState, *, name: str = "w", key: str | None = None):
    return create_trace_for_run(
        workflow_name=name,
        trace_id=state.trace_id,
        group_id=None,
        metadata=None,
        tracing={"api_key": key} if key else None,
        disabled=False,
        trace_state=state,
        reattach_resumed_trace=True,
    )


@pytest.mark.usefixtures("recorder")
def test_a_resumed_run_goes_on_with_its_trace_if_nothing_changed():
    with trace("w") as work:
        state = state_of(work)
    assert isinstance(trace_for_run(state), ReattachedTrace)
    assert isinstance(trace_for_run(state, name="other"), TraceImpl)
    assert isinstance(trace_for_run(state, key="other"), TraceImpl)
    state.trace_id = "trace_of_another_process"
    assert isinstance(trace_for_run(state), TraceImpl)


def manager(*, disabled: bool = False) -> TraceCtxManager:
    return TraceCtxManager("w", None, None, None, None, disabled)


def test_a_run_opens_a_trace_unless_there_is_one(recorder: Recorder):
    with manager() as outer, manager() as inner:
        assert inner.trace is None
        assert get_current_trace() is outer.trace
    assert recorder.told == [("trace start", "w"), ("trace end", "w")]


def test_a_disabled_run_records_nothing_in_the_current_trace(recorder: Recorder):
    with trace("outer"), custom_span("a"), manager(disabled=True):
        assert isinstance(custom_span("b"), NoOpSpan)
    with trace("outer"):
        assert isinstance(custom_span("c"), SpanImpl)
    assert ("span start", "b") not in recorder.told


def test_a_model_call_may_write_what_the_run_allows():
    assert get_model_tracing_impl(True, True).is_disabled()
    assert get_model_tracing_impl(False, True).include_data()
    assert not get_model_tracing_impl(False, False).include_data()


def test_processors_share_the_time_for_shutdown():
    class Timed(Recorder):
        def shutdown(self, timeout: float | None = None) -> None:
            self.told.append(("shutdown", str(timeout is not None and timeout <= 5)))

    timed, plain, provider = Timed(), Recorder(), DefaultTraceProvider()
    provider.set_processors([timed, plain])
    provider.shutdown(timeout=5)
    assert (timed.told, plain.told) == ([("shutdown", "True")], [("shutdown", "")])


def test_a_process_does_not_hang_on_a_server_that_fails(failing_server: str):
    code = f"""
import sys, time
import outlast.tracing as t
from outlast.tracing.processors import BackendSpanExporter, BatchTraceProcessor
exporter = BackendSpanExporter("k", endpoint={failing_server!r}, base_delay=60, max_delay=60)
t.add_trace_processor(BatchTraceProcessor(exporter, max_queue_size=1))
with t.trace("w"):
    time.sleep(0.5)
sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=50, check=False)
    assert done.returncode == 7


def test_runs_and_turns_have_spans_unless_told_otherwise():
    assert include_task_and_turn_spans(None)
    assert include_task_and_turn_spans({"api_key": "k"})
    assert not include_task_and_turn_spans({"include_task_and_turn_spans": False})


def test_ids_can_be_made_by_programs():
    assert tracing.gen_trace_id() != tracing.gen_trace_id()
    assert tracing.gen_span_id().startswith("span_")
    assert gen_group_id().startswith("group_")


@pytest.mark.usefixtures("recorder")
def test_a_trace_that_was_started_by_hand_is_not_entered(caplog: pytest.LogCaptureFixture):
    work = trace("w")
    work.start()
    with work:
        assert get_current_trace() is None
    assert "already started" in caplog.text


@pytest.mark.usefixtures("recorder")
def test_a_state_holds_the_key_only_if_asked():
    state = state_of(trace("w", tracing={"api_key": "secret"}))
    assert "secret" not in str(state.to_json())
    assert "secret" in str(state.to_json(include_tracing_api_key=True))


def test_a_provider_around_ours_hears_of_spans_though_no_processor_does():
    class Around:
        """Stands around a provider, as tools for watching do."""

        def __init__(self, wrapped: tracing.TraceProvider) -> None:
            self.wrapped = wrapped
            self.made: list[Any] = []

        def create_span(self, *args: Any, **kwargs: Any) -> Any:
            self.made.append(self.wrapped.create_span(*args, **kwargs))
            return self.made[-1]

        def __getattr__(self, name: str) -> Any:
            return getattr(self.wrapped, name)

    around = Around(DefaultTraceProvider(quiet=True))
    setup.GLOBAL_TRACE_PROVIDER = cast("Any", around)
    with tracing.trace("w"), tracing.custom_span("a"):
        pass
    assert [span.span_id == "no-op" for span in around.made] == [False]
