"""Whoever performed a run, and wherever it died: what is told of it are the spans that its log says."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    RunConfig,
    Runner,
    function_tool,
)
from outlast.core.errors import AgentsException, RunNotFound, StorageBusy
from outlast.core.events import ModelReplied
from outlast.journal import MemoryJournal
from outlast.testing import CrashingJournal, ScriptedModel, assistant_message, function_call
from outlast.tracing import Span, Trace, TracingProcessor, set_trace_provider, setup
from outlast.tracing.provider import DefaultTraceProvider
from outlast.views.spans import SpanView, spans
from outlast.views.status import ENDED
from outlast.views.steps import timeline

END = [assistant_message("done")]
ADA = [function_call("look", {"order": 7}, call_id="a")]
BOTH = [function_call("look", {"order": 7}, call_id="a"), function_call("fail", {}, call_id="b")]


class Heard(TracingProcessor):
    """Keeps what is told, in the order in which it is told."""

    def __init__(self) -> None:
        self.spans: dict[str, Span[Any]] = {}
        self.traces: list[str] = []
        self.open: list[str] = []
        self.started: list[str] = []

    def on_trace_start(self, trace: Trace) -> None:
        self.traces.append(trace.trace_id)

    def on_trace_end(self, trace: Trace) -> None: ...

    def on_span_start(self, span: Span[Any]) -> None:
        assert span.parent_id is None or span.parent_id in self.open
        self.open.append(span.span_id)
        self.started.append(span.span_id)

    def on_span_end(self, span: Span[Any]) -> None:
        self.open.remove(span.span_id)
        self.spans[span.span_id] = span

    def shutdown(self) -> None: ...

    def force_flush(self) -> None: ...


@pytest.fixture
def heard() -> Generator[Heard]:
    before, made = setup.GLOBAL_TRACE_PROVIDER, Heard()
    provider = DefaultTraceProvider()
    provider.set_processors([made])
    set_trace_provider(provider)
    yield made
    setup.GLOBAL_TRACE_PROVIDER = before


def heard_of_it(heard: Heard) -> set[tuple[Any, ...]]:
    """Return what was told of each span: its id, place, kind, name and error."""
    return {
        (
            span.span_id,
            span.parent_id or "",
            span.span_data.type,
            getattr(span.span_data, "name", None) or "",
            span.error["message"] if span.error else "",
        )
        for span in heard.spans.values()
    }


NAMED = {"task", "agent", "function", "guardrail"}


def said(view: SpanView) -> tuple[Any, ...]:
    return (
        view.id,
        view.parent,
        view.kind,
        view.name if view.kind in NAMED else "",
        view.error,
    )


async def of_log(journal: Any, run_id: str = "r", inside: str = "") -> set[tuple[Any, ...]]:
    """Return what the log says of each span, and the logs of the runs inside."""
    found: set[tuple[Any, ...]] = set()
    for view in spans(run_id, timeline(await journal.read(run_id))):
        _, parent, *rest = said(view)
        found.add((view.id, parent or inside, *rest))
        if view.child:
            found |= await of_log(journal, view.child, view.id)
    return found


# --- Runs. -------------------------------------------------------------------------------


@function_tool
def look(order: int) -> str:
    """Look."""
    return f"order {order}"


@function_tool
def fail() -> str:
    """Fail."""
    raise ValueError("no such thing")


def passes(*_: Any) -> GuardrailFunctionOutput:
    """Let it pass."""
    return GuardrailFunctionOutput(None, tripwire_triggered=False)


def trips(*_: Any) -> GuardrailFunctionOutput:
    """Let nothing pass."""
    return GuardrailFunctionOutput(None, tripwire_triggered=True)


def with_tools(model: Any) -> Agent[Any]:
    return Agent(name="desk", model=model, tools=[look, fail])


def with_handoff(model: Any) -> Agent[Any]:
    other = Agent(name="other", model=model, tools=[look])
    return Agent(name="desk", model=model, handoffs=[other])


def with_checks(model: Any) -> Agent[Any]:
    agent = with_tools(model)
    agent.input_guardrails = [
        InputGuardrail(passes, name="before", run_in_parallel=False),
        InputGuardrail(passes, name="beside"),
    ]
    agent.output_guardrails = [OutputGuardrail(passes, name="after")]
    return agent


def with_trip(model: Any) -> Agent[Any]:
    agent = with_tools(model)
    agent.output_guardrails = [OutputGuardrail(trips, name="after")]
    return agent


def with_inner(model: Any) -> Agent[Any]:
    inner = Agent(name="inner", model=ScriptedModel([END] * 3, emit_traces=True))
    return Agent(name="desk", model=model, tools=[inner.as_tool("ask", "Ask.")])


HAND_OVER = [function_call("transfer_to_other", {}, call_id="h")]
ASK = [function_call("ask", {"input": "x"}, call_id="i")]
RUNS: dict[str, tuple[Callable[[Any], Agent[Any]], Sequence[Any]]] = {
    "no call": (with_tools, [END]),
    "calls, one fails": (with_tools, [BOTH, END]),
    "two turns with calls": (with_tools, [ADA, ADA, END]),
    "a handoff": (with_handoff, [HAND_OVER, ADA, END]),
    "guardrails": (with_checks, [ADA, END]),
    "an output that is refused": (with_trip, [ADA, END]),
    "an agent as a tool": (with_inner, [ASK, END]),
    "too many turns": (with_tools, [ADA] * 4),
}


class Died(BaseException):
    """Stands for the end of a process."""


def die() -> None:
    raise Died


async def perform(name: str, journal: Any) -> None:
    """Perform the run as far as it goes: what it replied already is not asked for again."""
    make, replies = RUNS[name]
    try:
        log = await journal.read("r")
    except RunNotFound:
        log = []
    left = replies[sum(isinstance(each.event, ModelReplied) for each in log) :]
    agent = make(ScriptedModel(list(left), emit_traces=True))
    config = RunConfig(journal=journal)
    with contextlib.suppress(AgentsException):  # Some runs fail, and are traced all the same.
        await Runner.run(agent, "go", run_id="r", max_turns=3, run_config=config)


def places(told: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {each[:4] for each in told}


async def dies(name: str, journal: Any) -> bool:
    try:
        await perform(name, journal)
    except Died:
        return True
    return False


@pytest.mark.parametrize("name", RUNS)
async def test_what_is_told_of_a_run_is_what_its_log_says(heard, name):
    journal = MemoryJournal()
    await perform(name, journal)
    assert heard_of_it(heard) == await of_log(journal)
    assert len(heard.started) == len(heard.spans)
    assert heard.open == []


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("was_heard", [False, True])
async def test_a_run_that_died_anywhere_is_one_trace_with_the_spans_of_its_past(
    heard, name, was_heard
):
    mine, unheard = setup.GLOBAL_TRACE_PROVIDER, DefaultTraceProvider(quiet=True)
    for at in itertools.count(1):
        heard.__init__()
        inner = MemoryJournal()
        setup.GLOBAL_TRACE_PROVIDER = mine if was_heard else unheard
        if not await dies(name, CrashingJournal(inner, at=at, moment="after", crash=die)):
            break
        setup.GLOBAL_TRACE_PROVIDER = mine
        if timeline(await inner.read("r")).status in ENDED:
            continue
        await perform(name, inner)
        assert heard.open == []
        assert len(set(heard.traces)) == 1
        said_of_it, heard_now = await of_log(inner), heard_of_it(heard)
        if not was_heard:
            assert heard_now == said_of_it
            continue
        # This process did not really die: what had not begun yet is not told, nor that it died.
        assert places(heard_now) <= places(said_of_it)
        known = {each[0] for each in heard_now}
        assert all("process ended" in each[4] for each in said_of_it if each[0] not in known)
    assert at > 1


async def test_the_spans_of_the_past_have_the_times_of_the_past(heard):
    inner, mine = MemoryJournal(), setup.GLOBAL_TRACE_PROVIDER
    set_trace_provider(DefaultTraceProvider(quiet=True))
    with pytest.raises(Died):
        await perform("two turns with calls", CrashingJournal(inner, at=4, crash=die))
    setup.GLOBAL_TRACE_PROVIDER = mine
    last = (await inner.read("r"))[-1].at
    await asyncio.sleep(0.02)
    await perform("two turns with calls", inner)
    past = [s for s in heard.spans.values() if getattr(s.span_data, "turn", 0) == 1]
    assert past
    for span in past:
        assert span.ended_at <= _iso(last)
    task = next(s for s in heard.spans.values() if s.span_data.type == "task")
    assert task.started_at < _iso(last) < task.ended_at


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@function_tool(needs_approval=True)
def pay() -> str:
    """Pay."""
    return "paid"


@pytest.mark.parametrize("was_heard", [False, True])
@pytest.mark.parametrize("approved", [True, False])
async def test_a_run_that_waited_goes_on_in_spans_of_its_own_and_one_trace(
    heard, was_heard, approved
):
    mine, unheard = setup.GLOBAL_TRACE_PROVIDER, DefaultTraceProvider(quiet=True)
    config = RunConfig(journal=MemoryJournal())
    calls = [*ADA, function_call("pay", {}, call_id="p")]
    model = ScriptedModel([calls, END], emit_traces=True)
    agent = Agent(name="desk", model=model, tools=[look, pay])
    setup.GLOBAL_TRACE_PROVIDER = mine if was_heard else unheard
    await Runner.run(agent, "go", run_id="r", run_config=config)
    decide = Runner.approve if approved else Runner.reject
    await decide("r", "p", run_config=config)
    setup.GLOBAL_TRACE_PROVIDER = mine
    await Runner.run(agent, "go", run_id="r", run_config=config)
    assert heard_of_it(heard) == await of_log(config.journal)
    assert len(set(heard.traces)) == 1
    tasks = [span for span in heard.spans.values() if span.span_data.type == "task"]
    assert len(tasks) == 2


async def test_whoever_only_asks_for_the_result_tells_nothing_new(heard):
    journal = MemoryJournal()
    await perform("two turns with calls", journal)
    before = heard_of_it(heard)
    await perform("two turns with calls", journal)
    assert heard_of_it(heard) == before
    assert heard_of_it(heard) == await of_log(journal)


async def test_a_journal_that_cannot_be_read_costs_a_trace_its_past_and_the_run_nothing(heard):
    class Unreadable(CrashingJournal):
        async def read(self, run_id: str, *, after: int = -1) -> Any:
            if self.is_broken and run_id == "r" and self.reads:
                raise StorageBusy("busy")
            self.reads += 1
            return await self.inner.read(run_id, after=after)

    journal = Unreadable(MemoryJournal())
    journal.is_broken, journal.reads = False, 0
    assert await dies("no call", CrashingJournal(journal, at=1, moment="after", crash=die))
    journal.is_broken, journal.reads = True, 0
    model = ScriptedModel([END], emit_traces=True)
    config = RunConfig(journal=journal)
    result = await Runner.run(with_tools(model), "go", run_id="r", run_config=config)
    assert result.final_output == "done"
    assert heard.open == []
