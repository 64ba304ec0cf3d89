"""Commands in any order, to any run, at any moment: each is taken once, and the first decision holds."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import get_args

from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

from logs import golden_logs, played_logs  # a module beside this one

from outlast.core.commanding import taken, wanted
from outlast.core.commands import Cancel, Command, Decide, GoOn, Pause, RaiseLimit, Send, TopUp
from outlast.core.decide import decide
from outlast.core.events import (
    ApprovalDecided,
    CommandTaken,
    Event,
    MessageReceived,
    RunAcquired,
    RunCancelled,
    RunPaused,
    RunUnpaused,
)
from outlast.core.evolve import evolve, fold
from outlast.core.state import RunState, waiting_keys
from outlast.views.status import status

LOGS = [*golden_logs(), *played_logs()]
FEW = settings(max_examples=150, deadline=None)
ABOUT = {"by": st.sampled_from(["", "grace", "bob"]), "why": st.sampled_from(["", "because"])}
IDS = st.text("abc", min_size=1, max_size=2)
COMMANDS = st.one_of(
    st.builds(Cancel, id=IDS, mode=st.sampled_from(["immediate", "after_turn"]), **ABOUT),
    st.builds(Send, id=IDS, items=st.just([{"role": "user", "content": "and?"}]), **ABOUT),
    st.builds(
        Decide,
        id=IDS,
        call_id=st.sampled_from(["c1", "c2", "c3", "x"]),
        approved=st.booleans(),
        always=st.booleans(),
        **ABOUT,
    ),
    st.builds(Pause, id=IDS, **ABOUT),
    st.builds(GoOn, id=IDS, **ABOUT),
    st.builds(RaiseLimit, id=IDS, max_turns=st.sampled_from([None, 1, 5, 1000]), **ABOUT),
    st.builds(TopUp, id=IDS, tokens=st.integers(0, 9), **ABOUT),
)


def take(state: RunState, command: Command) -> tuple[RunState, tuple[Event, ...]]:
    """What whoever performs the run makes of a command."""
    if command.id in state.commands:
        return state, ()
    events = taken(state, "r", command)
    return fold(events, state), events


@st.composite
def moments(draw: st.DrawFn) -> RunState:
    """A run at any moment of any log that has begun."""
    log = draw(st.sampled_from(LOGS))
    return fold(log[: draw(st.integers(1, len(log)))])


def test_every_command_is_made_here():
    assert len(get_args(Command)) == 7


@FEW
@given(moments(), st.lists(COMMANDS, max_size=8), st.data())
def test_each_command_is_taken_once_in_whatever_order_they_come_and_come_again(state, given_, data):
    log: list[Event] = []
    for command in [*given_, *data.draw(st.permutations(given_))]:
        state, events = take(state, command)
        log += events
    receipts = [event.id for event in log if isinstance(event, CommandTaken)]
    assert sorted(receipts) == sorted({command.id for command in given_})
    assert set(receipts) <= state.commands


@FEW
@given(moments(), COMMANDS)
def test_a_command_that_was_refused_changes_nothing_else(state, command):
    command = replace(command, id="new")
    after, events = take(state, command)
    receipt = events[0]
    assert isinstance(receipt, CommandTaken)
    if receipt.error is not None:
        assert len(events) == 1
        assert receipt.error.message.endswith(".")
    if len(events) == 1:
        known = replace(after, commands=state.commands, before_failure=state.before_failure)
        assert known == state


@FEW
@given(moments(), st.lists(COMMANDS, max_size=5))
def test_what_comes_of_commands_is_the_same_for_whoever_folds_the_log(state, given_):
    first, log = state, list[Event]()
    for command in given_:
        first, events = take(first, command)
        log += events
    assert fold(log, state) == first
    again = fold([*log, *log], state)  # As after an append whose answer was lost.
    assert again.commands == first.commands
    assert (again.max_turns, again.cancel_requested) == (first.max_turns, first.cancel_requested)


@FEW
@given(moments(), st.booleans(), st.booleans())
def test_of_two_decisions_about_a_call_the_first_holds_and_the_second_is_told(state, one, other):
    for key in waiting_keys(state):
        first = Decide(id="1", call_id=key, approved=one, by="grace")
        second = Decide(id="2", call_id=key, approved=other, by="bob")
        after, events = take(state, first)
        assert [event.approved for event in events if isinstance(event, ApprovalDecided)] == [one]
        final, late = take(after, second)
        assert len(late) == 1
        assert isinstance(late[0], CommandTaken)
        assert late[0].error
        assert late[0].error.kind == "AlreadyDecided"
        assert late[0].error.data["by"] == "grace"
        assert final.decided[key].approved == one


@FEW
@given(moments(), st.lists(COMMANDS, max_size=4))
def test_a_paused_run_wants_only_what_it_performs_already(state, given_):
    for command in [*given_, Pause(id="pause")]:
        state, _ = take(state, command)
    if state.paused is None:
        assert state.ended or state.output is not None
        return
    assert {effect.id for effect in decide(state)} <= state.in_flight.keys()
    assert decide(evolve(state, RunAcquired("pid 2"))) == []
    assert state.ended or status(state) == "paused"


@FEW
@given(moments())
def test_a_run_that_goes_on_after_a_pause_wants_what_it_wanted_before(state):
    before = decide(replace(state, paused=None))
    paused = evolve(state, RunPaused())
    after = evolve(paused, RunUnpaused())
    assert decide(after) == before


@FEW
@given(moments(), st.sampled_from(["immediate", "after_turn"]))
def test_a_run_that_is_cancelled_now_wants_nothing_any_more(state, mode):
    after, events = take(state, Cancel(id="x", mode=mode, by="grace"))
    refused = isinstance(events[0], CommandTaken) and events[0].error is not None
    if mode == "immediate" and not refused:
        assert decide(after) == []
        assert isinstance(after.ended, RunCancelled)
    elif not refused:
        assert after.cancel_requested or isinstance(after.ended, RunCancelled)


@FEW
@given(moments())
def test_what_is_sent_waits_for_the_next_turn_unless_the_run_has_its_answer(state):
    after, events = take(state, Send(id="x", items=[{"role": "user", "content": "and?"}]))
    heard = [event for event in events if isinstance(event, MessageReceived)]
    assert bool(heard) == (state.ended is None and state.output is None)
    assert after.inbox[len(state.inbox) :] == tuple(heard)


def test_an_old_command_is_told_from_a_new_one_after_the_run_was_reopened():
    dice = random.Random(1)
    for log in LOGS:
        state = fold(log[: dice.randint(1, len(log))])
        state, _ = take(state, RaiseLimit(id="x", max_turns=None))
        assert "x" in state.commands
        assert take(state, RaiseLimit(id="x", max_turns=None)) == (state, ())


@given(moments(), COMMANDS)
def test_what_a_command_changes_is_told_by_a_command_that_changes_the_same(state, command):
    head = {"id": command.id, "by": command.by, "why": command.why}
    changes = taken(state, "run", command)[1:]
    told = [wanted(event, **head) for event in changes]
    assert all(told)
    again = [taken(state, "run", each)[1:] for each in told]
    assert [timeless(event) for event in changes] == [
        timeless(events[n if isinstance(command, GoOn) else 0]) for n, events in enumerate(again)
    ]


def timeless(event):
    return replace(event, **{name: None for name in ("at", "turn") if hasattr(event, name)})
