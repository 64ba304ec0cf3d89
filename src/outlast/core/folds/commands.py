"""The fold of what people want of a run while it goes on."""

from __future__ import annotations

from msgspec.structs import replace

from outlast.core.events import CancelRequested, CommandTaken, LimitRaised, RunPaused, RunUnpaused
from outlast.core.folds.table import Folds
from outlast.core.state import RunState


def _cancel_requested(state: RunState, event: CancelRequested) -> RunState:
    return replace(state, cancel_requested=True, last_turn=event.turn)


def _taken(state: RunState, event: CommandTaken) -> RunState:
    return replace(state, commands=state.commands | {event.id})


def _paused(state: RunState, event: RunPaused) -> RunState:
    return replace(state, paused=event)


def _unpaused(state: RunState, _: RunUnpaused) -> RunState:
    return replace(state, paused=None, abandoned="")


def _limit_raised(state: RunState, event: LimitRaised) -> RunState:
    return replace(state, max_turns=event.max_turns)


FOLDS: Folds = {
    CancelRequested: _cancel_requested,
    CommandTaken: _taken,
    RunPaused: _paused,
    RunUnpaused: _unpaused,
    LimitRaised: _limit_raised,
}
