"""A run as a tree of spans, made from its log alone.

    run (task) → agent (one activation) → turn → model call, tool call, handoff, guardrail

A run that was put down, because it waited or had ended, goes on in a new sitting: with new spans of
itself, its agent and its turn, for none of them lasts while nobody works. A crash ends no sitting.

The id of a span follows from the run and from the place in it, and from nothing else. So whoever
performed a part of the run, and whoever tells of it later, gives each span the same id, and an
exporter that hears of one twice has one. A process that goes on with a run tells the spans of its
past from here; `engine/spans.py` opens those of the present, under the same ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import zip_longest
from typing import Any, Literal

from outlast.core.events import ErrorFacts
from outlast.core.ids import effect_id
from outlast.views.timeline import Step, Timeline, Turn
from outlast.views.words import body_of

SpanKind = Literal["task", "agent", "turn", "generation", "function", "handoff", "guardrail"]
REDACTED = "Error details are redacted."
TOOL_REDACTED = f"Tool execution failed. {REDACTED}"


class RunIds:
    """The ids of a run's trace and spans.

    Args:
        run_id: The run.
        salt: What tells it from a run of the same id in another journal.
    """

    __slots__ = ("_seed",)

    def __init__(self, run_id: str, salt: str) -> None:
        self._seed = f"{run_id}\0{salt}\0"

    def trace(self) -> str:
        """The id of the trace that begins with the run."""
        return f"trace_{self._digest('trace')[:32]}"

    def task(self, sitting: int) -> str:
        """The id of the run's own span."""
        return self.span(f"run.{sitting}")

    def agent(self, activation: int, sitting: int) -> str:
        """The id of an agent's span, by the number of handoffs before it."""
        return self.span(f"agent.{activation}.{sitting}")

    def turn(self, number: int, sitting: int) -> str:
        """The id of a turn's span."""
        return self.span(f"turn.{number}.{sitting}")

    def effect(self, effect_id: str, attempt: int, number: int = 0) -> str:
        """The id of the ``number``-th span that an attempt of an effect opens."""
        return self.span(f"{effect_id}.{attempt}.{number}")

    def span(self, place: str) -> str:
        """The id of the span at a place in the run."""
        return f"span_{self._digest(place)[:24]}"

    def _digest(self, place: str) -> str:
        return sha256((self._seed + place).encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanView:
    """One span of a run."""

    id: str
    parent: str
    """The id of the span around it; empty for the outermost."""
    kind: SpanKind
    name: str
    started_at: float
    """Seconds since 1970."""
    ended_at: float | None
    """None while the work goes on."""
    epoch: int
    """Of the process that performed it, or the last part of it."""
    child: str = ""
    """The run that a call was answered by: its spans stand inside this one."""
    error: str = ""
    """What went wrong, as tracing says it; empty where nothing did."""
    error_data: dict[str, Any] = field(default_factory=dict[str, Any])
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    """The fields of the span's record: those of `tracing.span_data` that a log knows."""


def spans(
    run_id: str,
    timeline: Timeline,
    *,
    workflow: str = "Agent workflow",
    has_turns: bool = True,
    has_data: bool = True,
) -> list[SpanView]:
    """The spans of a run, each before those inside it.

    Args:
        run_id: The run.
        timeline: What its log says.
        workflow: What the run's own span is called.
        has_turns: Whether the run itself and its turns are spans.
        has_data: Whether spans say what models and tools were given, and answered.
    """
    tree = _Tree(run_id, timeline, has_turns=has_turns, has_data=has_data)
    return [span for sitting in sittings(timeline) for span in tree.sitting(sitting, workflow)]


@dataclass(slots=True, kw_only=True)
class Sitting:
    """A part of a run in which somebody worked on it, crashes included."""

    number: int
    started_at: float
    ended_at: float | None = None
    """None while it goes on."""
    is_last: bool = False
    epoch: int = 1
    """Of the last process that worked in it."""
    steps: list[Step] = field(default_factory=list[Step])
    by_turn: dict[int | None, list[Step]] = field(default_factory=dict[int | None, list[Step]])
    """Those of them that are spans, by where they stand."""
    turns: set[int] = field(default_factory=set[int])
    """The numbers of the turns that began in it. What is left of another stands below its agent."""


def sittings(timeline: Timeline) -> list[Sitting]:
    """The sittings of a run, the first one first; none of an empty log."""
    if timeline.status == "empty":
        return []
    end = timeline.started_at + timeline.duration_s
    current = Sitting(number=0, started_at=timeline.started_at)
    found, of_epoch = [current], dict[int, Sitting]()
    for row in timeline.rows:
        if isinstance(row, Step):
            current.steps.append(row)
            if _is_span(row):
                current.by_turn.setdefault(_turn_of(row), []).append(row)
            current.epoch = max(current.epoch, row.epoch)
            continue
        if not row.was_crash:
            current.ended_at = row.at - row.gap_s
            current = Sitting(number=len(found), started_at=row.at)
            found.append(current)
        current.epoch, of_epoch[row.epoch] = row.epoch, current
    for turn in timeline.turns:
        of_epoch.get(turn.epoch, found[0]).turns.add(turn.number)
    current.is_last = True
    current.ended_at = None if timeline.status in ("running", "interrupted") else end
    return found


class _Tree:
    def __init__(self, run_id: str, timeline: Timeline, *, has_turns: bool, has_data: bool) -> None:
        self._view = timeline
        self._ids = RunIds(run_id, timeline.salt)
        self._has_turns = has_turns
        self._has_data = has_data
        self._turns = {turn.number: turn for turn in timeline.turns}

    def sitting(self, sitting: Sitting, workflow: str) -> Iterator[SpanView]:
        if sitting.number and not (sitting.is_last or sitting.steps or sitting.turns):
            return  # Somebody decided about a call, or found that it is not time yet.
        task = self._ids.task(sitting.number) if self._has_turns else ""
        if task:
            yield SpanView(
                id=task,
                parent="",
                kind="task",
                name=workflow,
                started_at=sitting.started_at,
                ended_at=sitting.ended_at,
                epoch=sitting.epoch,
                data={"name": workflow},
            )
        numbers = sitting.turns | {step.turn for step in sitting.steps}
        turns = [self._turns[number] for number in sorted(numbers) if number in self._turns]
        first = {0} if sitting.number == 0 else set[int]()
        own: dict[int, list[Turn]] = {number: [] for number in first}
        for turn in turns:
            own.setdefault(turn.activation, []).append(turn)
        activations = sorted(own)
        for number, following in zip_longest(activations, activations[1:]):
            until = None if following is None else min(each.started_at for each in own[following])
            yield from self._agent(sitting, number, own[number], task, until)

    def _agent(
        self, sitting: Sitting, number: int, turns: list[Turn], parent: str, until: float | None
    ) -> Iterator[SpanView]:
        """One agent from when it took over to when the next one did."""
        key = self._ids.agent(number, sitting.number)
        is_last = until is None
        message, data = self._run_error() if is_last and sitting.is_last else ("", {})
        name = turns[0].agent if turns else self._view.agent
        began = turns[0].started_at if turns and number else self._view.started_at
        began = max(began, sitting.started_at)
        yield SpanView(
            id=key,
            parent=parent,
            kind="agent",
            name=name,
            started_at=began,
            ended_at=sitting.ended_at if until is None else max(until, began),
            epoch=max((turn.epoch for turn in turns), default=sitting.epoch),
            error=message,
            error_data=data,
            data={"name": name},
        )
        yield from self._steps(sitting, 0 if number == 0 else None, key)
        for turn in turns:
            yield from self._turn(sitting, turn, key)
        if is_last:
            yield from self._steps(sitting, _AFTER, key)

    def _turn(self, sitting: Sitting, turn: Turn, parent: str) -> Iterator[SpanView]:
        steps = sitting.by_turn.get(turn.number, [])
        is_open = sitting.ended_at is None and turn is self._view.turns[-1]
        began = max(turn.started_at, sitting.started_at)
        ends = [step.ended_at for step in steps if step.ended_at is not None]
        has_span = self._has_turns and turn.number in sitting.turns
        key = self._ids.turn(turn.number, sitting.number) if has_span else parent
        if has_span:
            message, data = self._turn_error(turn, steps)
            yield SpanView(
                id=key,
                parent=parent,
                kind="turn",
                name=f"turn {turn.number}",
                started_at=began,
                ended_at=None if is_open else max([began, *ends]),
                epoch=max([turn.epoch, *(step.epoch for step in steps)]),
                error=message,
                error_data=data,
                data={"turn": turn.number, "agent_name": turn.agent},
            )
        yield from self._steps(sitting, turn.number, key)

    def _steps(self, sitting: Sitting, turn: int | None, parent: str) -> Iterator[SpanView]:
        for step in sitting.by_turn.get(turn, ()):
            kind, name, data = self._facts(step)
            message, error_data = self._step_error(step)
            effect = step.key if step.kind == "approval" else step.id
            started = step.started_at if step.started_at is not None else step.ended_at
            yield SpanView(
                id=self._ids.effect(effect, step.attempt),
                parent=parent,
                kind=kind,
                name=name,
                started_at=started or 0.0,
                ended_at=started if step.kind == "approval" else step.ended_at,
                epoch=step.epoch,
                child=step.child if step.is_recorded else "",
                error=message,
                error_data=error_data,
                data=data,
            )

    # --- What a span says. ---------------------------------------------------------------

    def _facts(self, step: Step) -> tuple[SpanKind, str, dict[str, Any]]:
        if step.kind == "handoff":
            to = step.to or None
            return "handoff", step.name, {"from_agent": step.agent, "to_agent": to}
        if step.kind == "guardrail":
            is_tripped = step.outcome == "tripped"
            return "guardrail", step.name, {"name": step.name, "triggered": is_tripped}
        if step.kind == "model":
            usage = step.usage
            data: dict[str, Any] = {"model": step.model or None}
            if self._has_data:
                data["output"] = list(step.output) or None
            if usage is not None:
                data["usage"] = {
                    "input_tokens": usage.input_tokens,
                    "output_tokens": usage.output_tokens,
                }
            return "generation", step.model or "model", data
        name = _qualified(step)
        data = {"name": name, "input": None, "output": None}
        data["call_id"] = (step.call or {}).get("call_id")
        if self._has_data:
            data["input"] = body_of(step.call or {})
            data["output"] = step.output[0].get("output") if step.output else None
        return "function", name, data

    def _step_error(self, step: Step) -> tuple[str, dict[str, Any]]:
        if step.outcome == "in doubt":
            return "The process ended before the outcome was known", {"attempt": step.attempt}
        if step.kind == "handoff" and (rivals := self._rivals(step)):
            return "Multiple handoffs requested", {"requested_agents": rivals}
        error = step.error
        if error is None:
            return "", {}
        if step.kind == "handoff":
            return ("Invalid JSON provided", {}) if _is_of_model(error) else ("", {})
        if step.kind == "model":
            return "Error getting response", {"error": self._text(error.message, REDACTED)}
        return self._tool_error(step, error)

    def _tool_error(self, step: Step, error: ErrorFacts) -> tuple[str, dict[str, Any]]:
        if not step.output:
            text = self._text(error.message, TOOL_REDACTED)
            return "Error running tool", {"tool_name": step.name, "error": text}
        if error.kind == "ToolTimeoutError":
            return "", {}
        # What the model may not know of the error is not in the trace either.
        is_hidden = error.message not in str(step.output[0].get("output", ""))
        text = TOOL_REDACTED if is_hidden else self._text(error.message, TOOL_REDACTED)
        return "Error running tool (non-fatal)", {"tool_name": step.name, "error": text}

    def _rivals(self, step: Step) -> list[str]:
        """The handoffs that one reply asked for, if there are several."""
        names = {
            each.id: each.name
            for each in self._view.steps
            if each.turn == step.turn and each.kind == "handoff"
        }
        return [*names.values()] if len(names) > 1 else []

    def _turn_error(self, turn: Turn, steps: list[Step]) -> tuple[str, dict[str, Any]]:
        unknown = [name for step in steps for name in step.unknown]
        failure = self._view.failure
        if (
            failure is not None
            and failure.source == effect_id("conclude", turn.number)
            and _is_of_model(failure)
        ):
            return "Invalid JSON provided", {}
        return ("Tool not found", {"tool_name": unknown[-1]}) if unknown else ("", {})

    def _run_error(self) -> tuple[str, dict[str, Any]]:
        """What the last agent's span says of the failure of the run."""
        failure = self._view.failure
        if failure is None:
            return "", {}
        if (limit := failure.data.get("max_turns")) is not None:
            return "Max turns exceeded", {"max_turns": limit}
        if name := failure.data.get("guardrail"):
            return "Guardrail tripwire triggered", {"guardrail": name}
        if _is_of_model(failure):  # It stands on the span of the model's call, or of the turn.
            return "", {}
        return "Error in agent run", {"error": self._text(failure.message, REDACTED)}

    def _text(self, text: str, redacted: str) -> str:
        return text if self._has_data else redacted


_AFTER = -1
"""Stands for what comes after the last turn."""


def _turn_of(step: Step) -> int:
    return _AFTER if step.stage == "output" else step.turn


def _is_span(step: Step) -> bool:
    """Whether a step is work that somebody did, and not only an answer that a call got."""
    if step.kind in ("session", "wait") or step.stage.startswith("tool_"):
        return False
    if step.kind == "approval":
        return step.stage == "policy"
    if step.kind == "handoff":
        return step.outcome != "ignored"
    if step.kind != "tool":
        return True
    is_hosted = step.call is not None and str(step.call.get("type", "")).startswith("mcp_")
    return step.started_at is not None and step.outcome != "rejected" and not is_hosted


def _qualified(step: Step) -> str:
    space = (step.call or {}).get("namespace")
    return f"{space}.{step.name}" if space and space != step.name else step.name


def _is_of_model(error: ErrorFacts) -> bool:
    return error.kind == "ModelBehaviorError"
