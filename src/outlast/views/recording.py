"""A run's log as a recording: what each effect came to, and what came from outside and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalWaived,
    ChildStarted,
    EffectFailed,
    EffectStarted,
    Event,
    GuardrailChecked,
    InputAdded,
    MessageReceived,
    ModelReplied,
    RunStarted,
    SessionHeldBack,
    SessionLoaded,
    SessionSaved,
    StepRecorded,
    ToolReturned,
    TurnPrepared,
    UsageAdded,
)
from outlast.core.evolve import fold
from outlast.core.ids import EffectId, approval_id, effect_id

_PARTS = (StepRecorded, UsageAdded)


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run's log says that its effects came to."""

    run_id: str
    started: RunStarted
    events: Sequence[Event]
    max_turns: int | None
    results: dict[str, list[Event]] = field(default_factory=dict[str, list[Event]])
    """By effect: the events of its last attempt."""
    places: dict[str, int] = field(default_factory=dict[str, int])
    """By effect: where in the log its result stands."""
    before: dict[str, list[Event]] = field(default_factory=dict[str, list[Event]])
    """By effect: what came from outside while it went on."""
    after: dict[str, list[Event]] = field(default_factory=dict[str, list[Event]])
    """By effect: what people decided once it had its result."""
    children: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By effect: the runs that it began."""

    def reply(self, key: str) -> ModelReplied | None:
        """What the model answered at a place; None if it did not."""
        return next((e for e in self.results.get(key, ()) if isinstance(e, ModelReplied)), None)

    def has_failed(self, key: str) -> bool:
        """Whether an effect came to an error in the end."""
        known = self.results.get(key)
        return bool(known) and isinstance(known[-1], EffectFailed)


def names_of_texts(events: Sequence[Event]) -> set[str]:
    """What the turns of a log name by the hash of its content: prompts, tools, settings."""
    prepared = [event for event in events if isinstance(event, TurnPrepared)]
    names = {name for each in prepared for name in (each.instructions, each.tools, each.settings)}
    return {name for name in names if name is not None}


def last_turns(events: Sequence[Event]) -> dict[str, TurnPrepared]:
    """The turn of each agent that was prepared last, by the agent's name."""
    return {event.agent: event for event in events if isinstance(event, TurnPrepared)}


def recording_of(run_id: str, events: Sequence[Event]) -> Recording:
    """Read a log.

    Raises:
        ValueError: It is the log of no run.
    """
    started = events[0] if events else None
    if not isinstance(started, RunStarted):
        raise ValueError(f"The log of {run_id!r} does not begin with the start of a run.")  # noqa: TRY004
    made = Recording(run_id, started, events, fold(events).max_turns)
    was_started = {event.id for event in events if isinstance(event, EffectStarted)}
    outside: list[Event] = []
    last = ""
    for place, event in enumerate(events):
        match event:
            case MessageReceived() | InputAdded():
                outside.append(event)
            case ApprovalDecided():
                made.after.setdefault(last, []).append(event)
            case ChildStarted():
                made.children.setdefault(event.id, []).append(event.run_id)
            case _:
                key = _effect_of(event)
                if key not in was_started:
                    continue
                _add(made, key, event, place)
                if outside and not isinstance(event, _PARTS):
                    made.before[key], outside = outside, []
                last = key
    if outside:
        made.after.setdefault(last, []).extend(outside)
    return made


def _add(made: Recording, key: str, event: Event, place: int) -> None:
    known = made.results.setdefault(key, [])
    if known and isinstance(known[-1], EffectFailed):
        known.clear()  # Another attempt was made since.
    known.append(event)
    made.places[key] = place


def _effect_of(event: Event) -> str:
    """The effect that an event is the result of, or a part of it; empty for all other events."""
    match event:
        case GuardrailChecked(stage="tool_input" | "tool_output"):
            return effect_id("tool", EffectId.parse(event.id).turn, event.call_id)
        case ApprovalRequested() | ApprovalWaived():
            return approval_id(event.id)
        case SessionHeldBack() | SessionLoaded() | SessionSaved() | ToolReturned() | ModelReplied():
            return event.id
        case EffectStarted():
            return ""
        case _:
            return str(getattr(event, "id", ""))
