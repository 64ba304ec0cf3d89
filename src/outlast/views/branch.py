"""The part of a log that a fork of its run begins with, and what is changed in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from outlast.core import events as facts
from outlast.core.ids import EffectId, effect_id
from outlast.core.state import RunState

_ENDS = (
    facts.RunCompleted, facts.RunFailed, facts.RunCancelled, facts.RunReopened, facts.RunAbandoned,
    facts.RunPaused, facts.RunUnpaused, facts.RunParked, facts.RunUnparked, facts.CommandTaken,
    facts.CancelRequested,
)  # fmt: skip
"""What was done with that run, and is not done with its fork."""


def events_before(
    log: Sequence[facts.Event], place: EffectId, *, keeps_prompt: bool
) -> list[facts.Event]:
    """What a run is before a step, with the answers that calls beside it have had."""
    at = str(place)
    if place.kind in ("prepare", "model") and not keeps_prompt:
        # The prompt is asked for again: it may be what has changed.
        at = effect_id("prepare", place.turn)
    asking = {event.child for event in log if isinstance(event, facts.ApprovalRequested)}
    kept: list[facts.Event] = []
    for event in log:
        if place.kind in ("tool", "handoff"):
            if _is_past_turn(event, place.turn):
                break
        elif _id(event) == at:
            break
        if not isinstance(event, _ENDS) and not (_id(event) == at and not _asks(event, asking)):
            kept.append(event)
    return _settled(kept)


def starts_of(log: Sequence[facts.Event], at: str) -> list[facts.EffectStarted]:
    """The attempts at one effect."""
    return [event for event in log if isinstance(event, facts.EffectStarted) and event.id == at]


def runs_inside(log: Sequence[facts.Event]) -> list[facts.ChildStarted]:
    """The runs that began inside a run's calls."""
    return [event for event in log if isinstance(event, facts.ChildStarted)]


def whole(log: Sequence[facts.Event]) -> list[facts.Event]:
    """All that a run is so far, for a fork that goes on in its place."""
    return [event for event in log if not isinstance(event, _ENDS)]


def _settled(log: list[facts.Event]) -> list[facts.Event]:
    """A log without the starts of what has no result in it: nothing of it is in doubt."""
    done = {_id(event) for event in log if not isinstance(event, facts.EffectStarted)}
    return [
        event for event in log if not isinstance(event, facts.EffectStarted) or event.id in done
    ]


def _is_past_turn(event: facts.Event, turn: int) -> bool:
    """Whether all calls of a turn are answered before an event."""
    match event:
        case facts.TurnPrepared():
            return EffectId.parse(event.id).turn > turn
        case facts.HandedOff() | facts.OutputProduced() | facts.TurnContinued():
            return EffectId.parse(event.id).turn >= turn
        case _:
            return False


def _id(event: facts.Event) -> str:
    return str(getattr(event, "id", ""))


def _asks(event: facts.Event, asking: set[str]) -> bool:
    """Whether it is about a person's word on a call, which holds for the fork too.

    So does the run inside the call that has asked: the fork has a copy of it, as it was then.
    """
    if isinstance(event, facts.ChildStarted):
        return event.run_id in asking
    return isinstance(event, facts.ApprovalRequested | facts.ApprovalWaived)


def with_input(
    log: list[facts.Event], items: list[facts.Item], *, is_text: bool
) -> list[facts.Event]:
    """A log that begins with another input."""
    started = log[0]
    assert isinstance(started, facts.RunStarted)
    return [replace(started, input=items, is_text=is_text), *log[1:]]


def returned(state: RunState, at: str, result: str) -> facts.Event | None:
    """The answer of the call at a place; None where no call of a function is open there."""
    call = state.open_calls.get(EffectId.parse(at).key)
    if call is None or call.kind != "function":
        return None
    item = {"call_id": call.id, "output": result, "type": "function_call_output"}
    return facts.ToolReturned(at, call.id, item, name=call.name)


def replied(state: RunState, at: str, reply: str) -> facts.Event:
    """The reply of a model, as a text."""
    text: dict[str, Any] = {"type": "output_text", "text": reply, "annotations": []}
    item: dict[str, Any] = {
        "id": f"msg_{at}", "type": "message", "role": "assistant", "status": "completed",
        "content": [text],
    }  # fmt: skip
    return facts.ModelReplied(at, state.agent, [item])
