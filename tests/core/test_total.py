"""The fold and the decision are total, and a fact that comes twice or too late changes nothing."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from logs import EVENT_TYPES, golden_logs, made, played_logs  # a module beside this one

from outlast.core.decide import decide, open_checks, pending_output
from outlast.core.effects import Record
from outlast.core.events import UnknownEvent, UsageAdded
from outlast.core.evolve import evolve, fold
from outlast.core.following import PLACES, follows, phase_of
from outlast.core.state import RunState, answered
from outlast.views.status import status
from outlast.views.waiting import waiting_calls

LOGS = [*golden_logs(), *played_logs()]
by_type = pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda each: each.__name__)


def look_at(state: RunState) -> None:
    """Ask a state whatever anybody asks of one."""
    decide(state)
    answered(state)
    pending_output(state)
    phase_of(state)
    waiting_calls(state)
    status(state)
    if state.started:
        open_checks(state)


# --- Every event in every state. ---------------------------------------------------------


@by_type
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_event_folds_after_any_prefix_of_any_log(kind, seed):
    dice = random.Random(seed)
    log = dice.choice(LOGS)
    prefix = log[: dice.randint(0, len(log))]
    state = fold(prefix)
    for _ in range(4):
        state = evolve(state, made(kind, dice, prefix))
        look_at(state)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_events_in_any_order_fold(seed):
    dice = random.Random(seed)
    log = dice.choice(LOGS)
    state = RunState()
    for _ in range(dice.randint(1, 40)):
        event = (
            dice.choice(log) if dice.random() < 0.7 else made(dice.choice(EVENT_TYPES), dice, log)
        )
        state = evolve(state, event)
        look_at(state)


def test_every_event_has_its_place():
    assert set(PLACES) == {*EVENT_TYPES, UnknownEvent}


@by_type
def test_before_a_run_has_begun_nothing_counts_but_its_begin(kind):
    dice = random.Random(kind.__name__)
    after = fold(made(kind, dice, []) for _ in range(20))
    assert (after == RunState()) == (kind.__name__ != "RunStarted")


# --- What the loop writes has a place. ---------------------------------------------------


def test_the_loop_writes_nothing_that_has_no_place():
    for log in LOGS:
        state = RunState()
        for event in log:
            assert follows(state, event), event
            state = evolve(state, event)


# --- Twice, and late. --------------------------------------------------------------------


def wanted(state: RunState) -> list:
    return decide(state)


def test_an_event_that_comes_twice_in_a_row_changes_nothing_that_is_wanted():
    for log in played_logs():
        state = RunState()
        for event in log:
            state = evolve(state, event)
            again = evolve(state, event)
            assert wanted(again) == wanted(state), event
            assert items(again) == items(state), event
            if not isinstance(event, UsageAdded):
                assert again.usage == state.usage, event


RESULTS = (
    "TurnPrepared", "ModelReplied", "ToolReturned", "HandedOff", "OutputProduced", "TurnContinued",
    "SessionLoaded", "ApprovalWaived", "RunStarted", "GuardrailChecked", "EffectStarted",
)  # fmt: skip


def test_a_result_that_comes_again_later_changes_nothing():
    for log in played_logs():
        state, before = RunState(), []
        for event in log:
            for old in before:
                late = evolve(state, old)
                assert items(late) == items(state), old
                assert late.open_calls == state.open_calls, old
                assert late.usage == state.usage, old
            state = evolve(state, event)
            if type(event).__name__ in RESULTS:
                before = [*before[-12:], event]


def items(state: RunState) -> list:
    return [entry.item for entry in (*state.entries, *answered(state))]


def test_what_a_state_wants_has_a_place_right_there():
    """A decision that needs nobody is a fact that may follow: the loop cannot go in circles."""
    for log in played_logs():
        state = RunState()
        for event in log:
            state = evolve(state, event)
            records = [each.event for each in decide(state) if isinstance(each, Record)]
            assert all(follows(state, each) for each in records)
