"""Spans of what other processes performed of a run, told from its log by the one that goes on with it.

Each has the id that it had, or would have had, where it was performed. So a trace is whole whichever
of the processes lived long enough to export it, and what several have told is there once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from outlast import tracing
from outlast.core.errors import JournalError, RunNotFound, UserError
from outlast.core.events import RunAcquired
from outlast.core.stored import Stored
from outlast.definitions.clock import utc, wall_s
from outlast.definitions.handoff import Handoff
from outlast.effects.registry import AnyAgent
from outlast.effects.turn import output_schema
from outlast.engine.env import RunEnv
from outlast.engine.log import RunLog
from outlast.journal.journal import Journal
from outlast.tracing.provider import DefaultTraceProvider, SynchronousMultiTracingProcessor
from outlast.tracing.spans import SpanImpl
from outlast.views.spans import RunIds, Sitting, SpanView, sittings, spans
from outlast.views.steps import timeline
from outlast.views.timeline import Timeline

AnySpan = tracing.Span

_TOLD_MAX = 4096
_told: OrderedDict[tuple[str, int], None] = OrderedDict()
"""Of each run, by its trace id, the epochs in which this process has told of it while it went on."""
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Past:
    """What was done of a run before this process went on with it."""

    run_id: str
    timeline: Timeline
    sitting: Sitting
    """The one that this process works in."""
    children: dict[str, Past]
    """Of the runs that answered its calls, by their ids."""
    is_told: bool = False
    """Whether nobody has to be told of it."""
    is_over: bool = False
    """Whether the run has ended, and is only asked what it came to."""


async def past_of(log: RunLog) -> Past | None:
    """What was done of a run that goes on; None of one that begins.

    A journal that cannot be read now costs the trace its past, and the run nothing.
    """
    started = log.state.started
    if not started or log.lease.epoch <= 1:
        return None
    run = RunIds(log.run_id, started.salt).trace()
    try:
        stored = await log.journal.read(log.run_id)
        is_over = log.state.ended is not None
        if not is_over:
            # What is open was left by a process that is gone; the next append will say so.
            taken = Stored(len(stored), wall_s(), log.lease.epoch, RunAcquired(""))
            stored = [*stored, taken]
        view, performed = timeline(stored), {each.epoch for each in stored} - {log.lease.epoch}
        # Who ended a run has told of it, unless the call that it answers was not recorded any more.
        is_told = is_over and not started.parent
        if is_told or all((run, epoch) in _told for epoch in performed):
            return Past(log.run_id, view, sittings(view)[-1], {}, is_told=True, is_over=is_over)
        past = await _with_children(log.journal, log.run_id, view)
        return replace(past, is_over=is_over)
    except JournalError:
        return None


async def _with_children(journal: Journal, run_id: str, view: Timeline) -> Past:
    children: dict[str, Past] = {}
    for child in {step.child for step in view.steps if step.child and step.is_recorded}:
        try:
            seen = timeline(await journal.read(child))
        except RunNotFound:
            continue
        children[child] = await _with_children(journal, child, seen)
    return Past(run_id, view, sittings(view)[-1], children)


def note_told(ids: RunIds, epoch: int) -> None:
    """Remember that this process tells of a run while it goes on."""
    with _lock:
        _told[ids.trace(), epoch] = None
        if len(_told) > _TOLD_MAX:
            _told.popitem(last=False)


class PastSpans:
    """The spans of what was done of a run before this process went on with it.

    Args:
        env: The run.
        past: What was done.
        workflow: What the run is called in traces.
        task: The id of the run's own span in this process; empty where it has none.
    """

    def __init__(self, env: RunEnv, past: Past, workflow: str, task: str) -> None:
        manner = _Manner(
            provider=tracing.get_trace_provider(),
            workflow=workflow,
            has_turns=bool(task),
            has_data=env.config.trace_include_sensitive_data,
            agent=env.agents.find,
        )
        self._teller = _Teller(past, manner)
        self._task = task

    def tell_earlier(self) -> None:
        """Tell of the sittings before this one."""
        self._teller.tell(without=self._task)

    def tell_begun(self, task: AnySpan | None) -> dict[str, AnySpan]:
        """Tell of this sitting, whose own span ``task`` is open.

        Returns:
            The spans that go on, by id, started and not ended.
        """
        if task is not None:
            self._teller.tell_inside(self._task, task)
        return self._teller.going_on


def date(span: AnySpan, started_at: float, ended_at: float | None = None) -> None:
    """Let a span that is about to be told have the times of the past, where it can."""
    if isinstance(span, SpanImpl):
        span.date(_iso(started_at), None if ended_at is None else _iso(ended_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manner:
    """How a run is told of."""

    provider: tracing.TraceProvider
    workflow: str
    """What the run is called in traces."""
    has_turns: bool
    has_data: bool
    agent: Callable[[str], AnyAgent | None]
    """The agent of a name, where there is one here."""
    tells_all: bool = False
    """Whether also that is told which this process has told before."""


class _Teller:
    def __init__(self, past: Past, manner: _Manner) -> None:
        self._past = past
        self._manner = manner
        self._run = RunIds(past.run_id, past.timeline.salt).trace()
        views = spans(
            past.run_id,
            past.timeline,
            workflow=manner.workflow,
            has_turns=manner.has_turns,
            has_data=manner.has_data,
        )
        self._inside: dict[str, list[SpanView]] = {}
        for view in views:
            self._inside.setdefault(view.parent, []).append(view)
        self.going_on: dict[str, AnySpan] = {}

    def tell(self, parent: tracing.Trace | AnySpan | None = None, *, without: str = "") -> None:
        """Tell of the run, below ``parent`` or what is current; not of the span ``without``."""
        views = self._inside.get("", ())
        self._tell_all([view for view in views if view.id != without], parent)

    def tell_inside(self, span_id: str, span: AnySpan) -> None:
        """Tell of what is inside a span that is open already."""
        self._tell_all(self._inside.get(span_id, ()), span)

    def _tell_all(self, views: Iterable[SpanView], parent: tracing.Trace | AnySpan | None) -> None:
        for view in views:
            if self._is_new(view):
                self._tell(view, parent)

    def _is_new(self, view: SpanView) -> bool:
        """Whether somebody else performed it, or a part of it."""
        inside = self._inside.get(view.id, ())
        is_new = self._manner.tells_all or (self._run, view.epoch) not in _told
        return is_new or any(map(self._is_new, inside))

    def _tell(self, view: SpanView, parent: tracing.Trace | AnySpan | None) -> None:
        span = self._opened(view, parent)
        date(span, view.started_at, view.ended_at)
        if view.error:
            span.set_error({"message": view.error, "data": view.error_data})
        goes_on = view.kind in ("agent", "turn") and view.ended_at is None
        goes_on = goes_on and not self._manner.tells_all
        span.start(mark_as_current=goes_on)
        self._tell_all(self._inside.get(view.id, ()), span)
        if child := self._past.children.get(view.child):
            _Teller(child, self._manner).tell(span)
        if goes_on:
            self.going_on[view.id] = span
        else:
            span.finish()

    def _opened(self, view: SpanView, parent: tracing.Trace | AnySpan | None) -> AnySpan:
        provider = self._manner.provider
        return provider.create_span(self._record(view), span_id=view.id, parent=parent)

    def _record(self, view: SpanView) -> tracing.SpanData:
        data = view.data
        match view.kind:
            case "task":
                return tracing.TaskSpanData(view.name)
            case "agent":
                agent = self._manner.agent(view.name)
                about: tuple[Any, Any, Any] = about_agent(agent) if agent else ([], [], None)
                return tracing.AgentSpanData(view.name, *about)
            case "turn":
                return tracing.TurnSpanData(data["turn"], data["agent_name"])
            case "function":
                made = tracing.FunctionSpanData(data["name"], data["input"], data["output"])
                made.call_id = data.get("call_id")
                return made
            case "handoff":
                return tracing.HandoffSpanData(data["from_agent"], data["to_agent"])
            case "guardrail":
                return tracing.GuardrailSpanData(data["name"], data["triggered"])
            case "generation":
                return tracing.GenerationSpanData(
                    output=data.get("output"), model=data["model"], usage=data.get("usage")
                )


async def tell_run(
    journal: Journal,
    run_id: str,
    processor: tracing.TracingProcessor,
    *,
    workflow: str = "Agent workflow",
    has_data: bool = True,
) -> int:
    """Tell ``processor`` of a whole run as its log has it, under the ids that its spans had.

    Returns:
        How many spans that were.

    Raises:
        RunNotFound: There is no such run.
    """
    view = timeline(await journal.read(run_id))
    past = await _with_children(journal, run_id, view)
    provider = DefaultTraceProvider()
    counting = _Counting(processor)
    provider.set_disabled(False)
    provider.register_processor(counting)
    manner = _Manner(
        provider=provider,
        workflow=workflow,
        has_turns=True,
        has_data=has_data,
        agent=lambda _: None,
        tells_all=True,
    )
    group = view.metadata.session_id or None
    trace = provider.create_trace(workflow, RunIds(run_id, view.salt).trace(), group)
    trace.start()
    _Teller(past, manner).tell(trace)
    trace.finish()
    return counting.spans


class _Counting(SynchronousMultiTracingProcessor):
    def __init__(self, processor: tracing.TracingProcessor) -> None:
        super().__init__()
        self.spans = 0
        self.add_tracing_processor(processor)

    def on_span_end(self, span: AnySpan) -> None:
        self.spans += 1
        super().on_span_end(span)


def about_agent(agent: AnyAgent) -> tuple[list[str], list[str], str | None]:
    """What the span of an agent says of it: whom it hands over to, its tools, what it answers with."""
    targets = [
        target.agent_name if isinstance(target, Handoff) else target.name
        for target in agent.handoffs
    ]
    return targets, [traced_name(tool) for tool in agent.tools], _output_name(agent)


def traced_name(tool: Any) -> str:
    """What spans call a tool."""
    return getattr(tool, "trace_name", None) or tool.name


def _output_name(agent: AnyAgent) -> str | None:
    try:
        schema = output_schema(agent)
    except UserError:
        return None  # Whoever needs the schema fails with this.
    return schema.name() if schema else "str"


def _iso(at: float) -> str:
    return utc(at).isoformat()
