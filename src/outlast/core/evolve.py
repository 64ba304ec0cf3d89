"""The fold of a run's events: from a log to a state.

`evolve(state, event)` is total: it never raises and never looks at anything but its arguments, so
any prefix of any log has a state. It believes what the log says; the codec has checked the shapes,
and a part that makes no sense (a setting of another type, a call that no item of its reply makes)
changes nothing.

How a turn moves: `TurnPrepared` opens it, `ModelReplied` fills `open_calls`, every answer moves a
call to `answers`, and when the last call is answered the answers enter the conversation in the
order of the calls, whatever order they ended in.

The folds stand in `core/folds/`, a room for each kind of event.
"""

from __future__ import annotations

from collections.abc import Iterable

from outlast.core.events import Event
from outlast.core.folds import conversation, effects, life, permissions, turns
from outlast.core.folds.table import Folds
from outlast.core.state import RunState


def evolve(state: RunState, event: Event) -> RunState:
    """The state after ``event``."""
    fold = _FOLDS.get(type(event))
    return fold(state, event) if fold else state


def fold(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """The state after ``events``, oldest first."""
    state = state or RunState()
    for event in events:
        state = evolve(state, event)
    return state


_FOLDS: Folds = {
    **life.FOLDS,
    **conversation.FOLDS,
    **turns.FOLDS,
    **effects.FOLDS,
    **permissions.FOLDS,
}
