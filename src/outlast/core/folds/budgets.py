"""The fold of what is known of budgets."""

from __future__ import annotations

from msgspec.structs import replace

from outlast.core.budget_events import BudgetRaised, BudgetWarned, LastTurnBegun
from outlast.core.folds.table import Folds
from outlast.core.state import RunState


def _warned(state: RunState, event: BudgetWarned) -> RunState:
    return replace(state, warned=state.warned | {event.key})


def _last_turn(state: RunState, event: LastTurnBegun) -> RunState:
    return replace(state, last_turns=state.last_turns | {event.id})


def _raised(state: RunState, event: BudgetRaised) -> RunState:
    return replace(state, top_ups=(*state.top_ups, event), last_turns=frozenset())


FOLDS: Folds = {BudgetWarned: _warned, LastTurnBegun: _last_turn, BudgetRaised: _raised}
