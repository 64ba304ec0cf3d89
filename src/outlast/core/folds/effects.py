"""The fold of effects: begun, accepted, failed; and what happens inside one."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from outlast.core.events import (
    ChildStarted,
    EffectAccepted,
    EffectFailed,
    EffectLost,
    EffectStarted,
    StepRecorded,
    TimerFired,
    UsageAdded,
)
from outlast.core.folds.table import Folds
from outlast.core.ids import EffectId
from outlast.core.state import RunState, plus

T = TypeVar("T")


def _effect_started(state: RunState, event: EffectStarted) -> RunState:
    return replace(
        state,
        in_flight={**state.in_flight, event.id: event},
        in_doubt=without(state.in_doubt, event.id),
        failures=without(state.failures, event.id),
        attempts={**state.attempts, event.id: event.attempt}
        if event.attempt > 1
        else state.attempts,
    )


def _effect_accepted(state: RunState, event: EffectAccepted) -> RunState:
    others = without(state.accepted, event.id)
    return replace(state, accepted={**others, event.id: event} if event.response_id else others)


def _effect_lost(state: RunState, event: EffectLost) -> RunState:
    """The effect is in doubt; its policy says what follows."""
    doubt = {**state.in_doubt, event.id: state.in_flight[event.id]}
    return replace(state, in_doubt=doubt, in_flight=without(state.in_flight, event.id))


def _effect_failed(state: RunState, event: EffectFailed) -> RunState:
    attempt = state.in_flight.get(event.id)
    state = finished(state, event.id)
    number = attempt.attempt if attempt else state.attempts.get(event.id, 1)
    attempts = {**state.attempts, event.id: number}
    failures = {**state.failures, event.id: event}
    if EffectId.parse(event.id).kind == "model":
        failed = (*state.failed_attempts, event)
        return replace(state, failures=failures, attempts=attempts, failed_attempts=failed)
    return replace(state, failures=failures, attempts=attempts)


def _fired(state: RunState, event: TimerFired) -> RunState:
    return finished(replace(state, fired=state.fired | {event.id}), event.id)


def _step(state: RunState, event: StepRecorded) -> RunState:
    steps = {**state.steps.get(event.id, {}), event.name: event}
    return replace(state, steps={**state.steps, event.id: steps})


def _child(state: RunState, event: ChildStarted) -> RunState:
    if event.is_nested:
        return state
    return replace(state, children={**state.children, event.id: event.run_id})


def _usage(state: RunState, event: UsageAdded) -> RunState:
    return replace(state, usage=plus(state.usage, event.usage))


def finished(state: RunState, effect_id: str) -> RunState:
    """The state without a beginning of this effect: it has come to something."""
    if effect_id not in state.in_flight and effect_id not in state.in_doubt:
        return state
    return replace(
        state,
        in_flight=without(state.in_flight, effect_id),
        in_doubt=without(state.in_doubt, effect_id),
    )


def without(known: dict[str, T], key: str) -> dict[str, T]:
    """The same without ``key``; the very same if it has no such key."""
    if key not in known:
        return known
    others = known.copy()  # 1.5 µs for 800 entries; a comprehension takes 35.
    del others[key]
    return others


FOLDS: Folds = {
    EffectStarted: _effect_started,
    EffectAccepted: _effect_accepted,
    EffectFailed: _effect_failed,
    EffectLost: _effect_lost,
    TimerFired: _fired,
    StepRecorded: _step,
    ChildStarted: _child,
    UsageAdded: _usage,
}
