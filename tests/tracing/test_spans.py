"""Traces and spans: what is recorded, below what, and what becomes current."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest
from recording import Recorder

from outlast import tracing
from outlast.tracing import custom_span, get_current_span, get_current_trace, trace
from outlast.tracing.provider import DefaultTraceProvider
from outlast.tracing.span_data import (
    AgentSpanData,
    FunctionSpanData,
    ResponseSpanData,
    SpanData,
    SpeechSpanData,
    TaskSpanData,
    TranscriptionSpanData,
    TurnSpanData,
)
from outlast.tracing.spans import NoOpSpan, SpanImpl
from outlast.tracing.traces import NoOpTrace, TraceImpl, TraceState, reattach_trace


def test_a_span_belongs_to_the_current_span_and_trace(recorder: Recorder):
    with trace("w") as outer, custom_span("a") as a, custom_span("b") as b:
        assert get_current_span() is b
        assert get_current_trace() is outer
    assert (a.parent_id, b.parent_id) == (None, a.span_id)
    assert {a.trace_id, b.trace_id} == {outer.trace_id}
    assert recorder.told == [
        ("trace start", "w"),
        ("span start", "a"),
        ("span start", "b"),
        ("span end", "b"),
        ("span end", "a"),
        ("trace end", "w"),
    ]
    assert get_current_trace() is None


def test_a_parent_that_is_given_wins(recorder: Recorder):
    with trace("w") as outer, custom_span("a") as a, custom_span("b"):
        beside = custom_span("c", parent=a)
        below = custom_span("d", parent=outer)
    assert (beside.parent_id, below.parent_id) == (a.span_id, None)
    assert below.trace_id == outer.trace_id


@pytest.mark.usefixtures("recorder")
def test_a_span_around_a_trace_is_not_the_parent_of_spans_in_it():
    with trace("outer"), custom_span("a"), trace("inner") as inner:
        span = custom_span("b")
    assert (span.trace_id, span.parent_id) == (inner.trace_id, None)


@pytest.mark.usefixtures("recorder")
def test_a_span_without_a_trace_is_not_recorded(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, logger="openai.agents"):
        span = custom_span("lost")
    assert isinstance(span, NoOpSpan)
    assert span.export() is None
    assert "No active trace" in caplog.text


def test_children_of_what_is_not_recorded_are_not_recorded(recorder: Recorder):
    with trace("w", disabled=True) as off, custom_span("a") as a:
        assert off.export() is None
        assert isinstance(a, NoOpSpan)
        assert isinstance(custom_span("b", parent=off), NoOpSpan)
    with trace("w"), custom_span("c", disabled=True) as c, custom_span("d") as d:
        assert isinstance(c, NoOpSpan)
        assert isinstance(d, NoOpSpan)
    assert recorder.spans == []


def test_tasks_inherit_what_is_current_where_they_were_created(recorder: Recorder):
    async def work(name: str) -> None:
        with custom_span(name):
            await asyncio.sleep(0)
            with custom_span(f"{name} inside"):
                await asyncio.sleep(0)

    async def main() -> str:
        with trace("w"), custom_span("both") as both:
            await asyncio.gather(work("x"), work("y"))
        return both.span_id

    both = asyncio.run(main())
    parents = {span.span_data.name: span.parent_id for span in recorder.spans}
    by_name = {span.span_data.name: span.span_id for span in recorder.spans}
    assert parents["x"] == parents["y"] == both
    assert parents["x inside"] == by_name["x"]
    assert parents["y inside"] == by_name["y"]


def test_what_is_finished_twice_ended_once(recorder: Recorder, caplog: pytest.LogCaptureFixture):
    work = trace("w")
    work.start()
    span = custom_span("a", parent=work)
    span.start()
    span.start()
    span.finish()
    span.finish()
    work.finish()
    work.finish()
    assert [what for what, _ in recorder.told] == [
        "trace start",
        "span start",
        "span end",
        "trace end",
    ]
    assert "already started" in caplog.text
    assert "already finished" in caplog.text


@pytest.mark.usefixtures("recorder")
async def test_a_generator_closed_in_another_task_does_not_raise():
    async def stream() -> AsyncGenerator[int]:
        with trace("w"), custom_span("a"):
            yield 1

    generator = stream()
    await anext(generator)
    await asyncio.create_task(generator.aclose())  # type: ignore[arg-type]  # a coroutine here


@pytest.mark.usefixtures("recorder")
async def test_finishing_in_a_foreign_context_is_an_error():
    span = custom_span("a", parent=trace("w"))
    span.start(mark_as_current=True)

    async def elsewhere() -> None:
        span.finish(reset_current=True)

    with pytest.raises(ValueError, match="different Context"):
        await asyncio.create_task(elsewhere())


def test_metadata_and_key_of_a_trace_reach_its_spans(recorder: Recorder):
    metadata = {"agent_harness_id": "h", "tenant": "t"}
    with trace("w", metadata=metadata, tracing={"api_key": "k"}) as work:
        with custom_span("a"), custom_span("b"):
            pass
        with tracing.agent_span("c") as agent:
            agent.span_data.metadata = {"usage": {"requests": 1}}
    for span in recorder.spans:
        assert (span.trace_metadata, span.tracing_api_key) == (metadata, "k")
    exported = [span.export() or {} for span in recorder.spans]
    assert [one.get("metadata") for one in exported] == [
        {"agent_harness_id": "h"},
        {"agent_harness_id": "h"},
        {"agent_harness_id": "h", "usage": {"requests": 1}},
    ]
    assert "tracing_api_key" not in (work.to_json() or {})
    assert (work.to_json(include_tracing_api_key=True) or {})["tracing_api_key"] == "k"


def test_a_provider_makes_all_times_and_ids(recorder: Recorder):
    class Fixed(DefaultTraceProvider):
        def time_iso(self) -> str:
            return "then"

        def gen_trace_id(self) -> str:
            return "trace_1"

        def gen_span_id(self) -> str:
            return "span_1"

    fixed = Fixed()
    fixed.register_processor(recorder)
    tracing.set_trace_provider(fixed)
    with trace("w") as work, custom_span("a") as span:
        span.set_error({"message": "no", "data": None})
    assert work.trace_id == "trace_1"
    assert span.export() == {
        "object": "trace.span",
        "id": "span_1",
        "trace_id": "trace_1",
        "parent_id": None,
        "started_at": "then",
        "ended_at": "then",
        "span_data": {"type": "custom", "name": "a", "data": {}},
        "error": {"message": "no", "data": None},
    }


def test_ids_have_their_prefix_and_length():
    provider = DefaultTraceProvider()
    lengths = [
        len(provider.gen_trace_id()),
        len(provider.gen_span_id()),
        len(provider.gen_group_id()),
    ]
    assert lengths == [len("trace_") + 32, len("span_") + 24, len("group_") + 24]


@pytest.mark.parametrize(
    ("data", "exported"),
    [
        (
            AgentSpanData("a", metadata={"k": 1}),
            {"type": "agent", "name": "a", "handoffs": None, "tools": None, "output_type": None},
        ),
        (
            TaskSpanData("t", usage={"requests": 1}),
            {
                "type": "custom",
                "name": "task",
                "data": {"sdk_span_type": "task", "name": "t", "usage": {"requests": 1}},
            },
        ),
        (
            TurnSpanData(2, "a"),
            {
                "type": "custom",
                "name": "turn",
                "data": {"sdk_span_type": "turn", "turn": 2, "agent_name": "a"},
            },
        ),
        (
            FunctionSpanData("f", "i", 0, call_id="c"),
            {"type": "function", "name": "f", "input": "i", "output": "0", "mcp_data": None},
        ),
        (
            ResponseSpanData(response_id="r", input="secret"),
            {"type": "response", "response_id": "r", "usage": None},
        ),
        (
            TranscriptionSpanData(),
            {
                "type": "transcription",
                "input": {"data": "", "format": "pcm"},
                "output": None,
                "model": None,
                "model_config": None,
            },
        ),
        (
            SpeechSpanData("text"),
            {
                "type": "speech",
                "input": "text",
                "output": {"data": "", "format": "pcm"},
                "model": None,
                "model_config": None,
                "first_content_at": None,
            },
        ),
    ],
    ids=lambda value: value.type if isinstance(value, SpanData) else "",
)
def test_span_data_is_exported_in_the_shape_that_backends_know(
    data: SpanData, exported: dict[str, object]
):
    assert data.export() == exported


def test_each_kind_of_span_can_be_opened(recorder: Recorder):
    with trace("w"):
        spans = [
            tracing.agent_span("a"),
            tracing.task_span("t"),
            tracing.turn_span(1, "a"),
            tracing.function_span("f"),
            tracing.generation_span(model="m"),
            tracing.response_span(),
            tracing.handoff_span("a", "b"),
            tracing.custom_span("c"),
            tracing.guardrail_span("g", triggered=True),
            tracing.transcription_span(),
            tracing.speech_span(),
            tracing.speech_group_span(),
            tracing.mcp_tools_span("s", ["tool"]),
        ]
    assert all(isinstance(span, SpanImpl) for span in spans)
    assert [span.span_data.type for span in spans] == [
        "agent",
        "task",
        "turn",
        "function",
        "generation",
        "response",
        "handoff",
        "custom",
        "guardrail",
        "transcription",
        "speech",
        "speech_group",
        "mcp_tools",
    ]


def test_the_state_of_a_trace_keeps_its_key_as_a_hash(recorder: Recorder):
    with trace("w", group_id="g", metadata={"a": 1}, tracing={"api_key": "secret"}) as work:
        state = TraceState.from_trace(work)
    assert state is not None
    assert "secret" not in str(state.to_json())
    kept = TraceState.from_json({**(state.to_json() or {}), "later": 1})
    assert kept is not None
    assert kept.has_key("secret")
    assert not kept.has_key("other")
    assert kept.extra == {"later": 1}
    again = reattach_trace(kept, tracing_api_key="secret")
    assert again is not None
    with again:
        assert again.export() == work.export()
    assert [what for what, _ in recorder.told] == ["trace start", "trace end"]


def test_there_is_no_state_of_what_is_not_recorded():
    assert TraceState.from_trace(None) is None
    assert TraceState.from_trace(NoOpTrace()) is None
    assert TraceState().to_json() is None
    assert reattach_trace(TraceState()) is None


def test_a_warning_names_a_trace_in_a_trace(caplog: pytest.LogCaptureFixture):
    with trace("outer"):
        inner = trace("inner")
    assert isinstance(inner, TraceImpl)
    assert "Trace already exists" in caplog.text
