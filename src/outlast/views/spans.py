"""A run as a tree of spans, made from its log alone.

    run (task) → agent (one activation) → turn → model call, tool call, handoff, guardrail

The id of a span follows from the run and from the place in it, and from nothing else. So whoever
performed a part of the run, and whoever tells of it later, gives each span the same id, and an
exporter that hears of one twice has one. A process that goes on with a run tells the spans of its
past from here; `engine/spans.py` opens those of the present, under the same ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from outlast.core.events import ErrorFacts
from outlast.core.ids import effect_id
from outlast.views.status import ENDED
from outlast.views.steps import Step, Timeline, Turn
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

    def task(self) -> str:
        """The id of the run's own span."""
        return self.span("run")

    def agent(self, activation: int) -> str:
        """The id of an agent's span, by the number of handoffs before it."""
        return self.span(f"agent.{activation}")

    def turn(self, number: int) -> str:
        """The id of a turn's span."""
        return self.span(f"turn.{number}")

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
    if not timeline.rows and not timeline.turns:
        return []
    return list(_Tree(run_id, timeline, has_turns=has_turns, has_data=has_data).walk(workflow))


class _Tree:
    def __init__(self, run_id: str, timeline: Timeline, *, has_turns: bool, has_data: bool) -> None:
        self._view = timeline
        self._ids = RunIds(run_id, timeline.salt)
        self._has_turns = has_turns
        self._has_data = has_data
        self._end = timeline.started_at + timeline.duration_s
        self._ended = self._end if timeline.status in ENDED else None
        self._by_turn: dict[int, list[Step]] = {}
        for step in timeline.steps:
            if _is_span(step):
                self._by_turn.setdefault(_turn_of(step), []).append(step)

    def walk(self, workflow: str) -> Iterator[SpanView]:
        task = self._ids.task() if self._has_turns else ""
        if task:
            yield SpanView(
                id=task,
                parent="",
                kind="task",
                name=workflow,
                started_at=self._view.started_at,
                ended_at=self._ended,
                epoch=self._view.last_epoch,
                data={"name": workflow},
            )
        activations = sorted({0, *(turn.activation for turn in self._view.turns)})
        for number in activations:
            yield from self._agent(number, task, is_last=number == activations[-1])

    def _agent(self, number: int, parent: str, *, is_last: bool) -> Iterator[SpanView]:
        """One agent from when it took over to when the next one did."""
        turns = [turn for turn in self._view.turns if turn.activation == number]
        first = self._view.started_at if number == 0 else turns[0].started_at
        later = [turn.started_at for turn in self._view.turns if turn.activation > number]
        key = self._ids.agent(number)
        message, data = self._run_error() if is_last else ("", {})
        name = turns[0].agent if turns else self._view.agent
        yield SpanView(
            id=key,
            parent=parent,
            kind="agent",
            name=name,
            started_at=first,
            ended_at=self._ended if is_last else later[0],
            epoch=turns[-1].epoch if turns else self._view.last_epoch,
            error=message,
            error_data=data,
            data={"name": name},
        )
        if number == 0:
            yield from self._steps(0, key)
        for turn in turns:
            yield from self._turn(turn, key)
        if is_last:
            yield from self._steps(_AFTER, key)

    def _turn(self, turn: Turn, parent: str) -> Iterator[SpanView]:
        steps = self._by_turn.get(turn.number, [])
        is_open = turn is self._view.turns[-1] and self._ended is None
        ends = [step.ended_at for step in steps if step.ended_at is not None]
        key = self._ids.turn(turn.number) if self._has_turns else parent
        if self._has_turns:
            message, data = self._turn_error(turn, steps)
            yield SpanView(
                id=key,
                parent=parent,
                kind="turn",
                name=f"turn {turn.number}",
                started_at=turn.started_at,
                ended_at=None if is_open else max(ends, default=turn.started_at),
                epoch=steps[-1].epoch if steps else turn.epoch,
                error=message,
                error_data=data,
                data={"turn": turn.number, "agent_name": turn.agent},
            )
        yield from self._steps(turn.number, key)

    def _steps(self, turn: int, parent: str) -> Iterator[SpanView]:
        for step in self._by_turn.get(turn, []):
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
        names = [
            each.name
            for each in self._view.steps
            if each.turn == step.turn and each.kind == "handoff"
        ]
        return names if len(names) > 1 else []

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
