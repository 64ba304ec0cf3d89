"""The fold of a run's events: from a log to a state.

`evolve(state, event)` is total: it never raises and never looks at anything but its arguments, so
any prefix of any log has a state. It believes what the log says; the codec has checked the shapes,
and a part that makes no sense (a setting of another type, a call that no item of its reply makes)
changes nothing. Nor does an event that has no place where it stands (`core/following.py`): one that
came twice, or too late.

How a turn moves: `TurnPrepared` opens it, `ModelReplied` fills `open_calls`, every answer moves a
call to `answers`, and when the last call is answered the answers enter the conversation in the
order of the calls, whatever order they ended in.

The folds stand in `core/folds/`, a room for each kind of event.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from outlast.core.events import (
    ApprovalDecided,
    CommandTaken,
    Event,
    InputAdded,
    LimitRaised,
    MessageReceived,
    RunForked,
    UsageAdded,
)
from outlast.core.folds import budgets, commands, conversation, effects, life, permissions, turns
from outlast.core.folds.table import Folds
from outlast.core.following import follows
from outlast.core.state import RunState


def evolve(state: RunState, event: Event) -> RunState:
    """The state after ``event``; the same where that has no place here."""
    fold = _FOLDS.get(type(event))
    if fold is None or not follows(state, event):
        return state
    after = fold(state, event)
    if state.ended and state.before_failure and type(event) in _LATE:
        before = fold(state.before_failure, event)
        return replace(after, before_failure=before)
    return after


def fold(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """The state after ``events``, oldest first."""
    state = state or RunState()
    for event in events:
        state = evolve(state, event)
    return state


_LATE = {
    InputAdded,
    MessageReceived,
    ApprovalDecided,
    UsageAdded,
    RunForked,
    CommandTaken,
    LimitRaised,
}
"""What may come between a run's end and its reopening, and counts where the run goes on."""

_FOLDS: Folds = {
    **life.FOLDS,
    **conversation.FOLDS,
    **turns.FOLDS,
    **effects.FOLDS,
    **permissions.FOLDS,
    **commands.FOLDS,
    **budgets.FOLDS,
}
