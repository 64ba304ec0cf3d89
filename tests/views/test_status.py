"""What a run has come to, in one word: one definition, for every log and every reader."""

from __future__ import annotations

import random

import pytest
from any_log import ANY_LOG, stored
from hypothesis import given, settings, strategies as st
from world import World, play, started

from outlast.core.decide import decide
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    Call,
    EffectStarted,
    ErrorFacts,
    Event,
    ModelReplied,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunParked,
    RunReopened,
    RunUnparked,
    ToolReturned,
    TurnPrepared,
)
from outlast.core.evolve import fold
from outlast.views.status import ENDED, STATUSES, seen, status, status_after
from outlast.views.steps import timeline
from outlast.views.waiting import retry_at, waiting_calls, waits_for_person


def asks(call_id: str) -> dict:
    return {"type": "function_call", "name": "pay", "arguments": "{}", "call_id": call_id}


def says(call_id: str) -> dict:
    return {"type": "function_call_output", "call_id": call_id, "output": "paid"}


TURN = [
    started(),
    TurnPrepared("p1", "desk"),
    ModelReplied(
        "m1",
        "desk",
        [asks("a"), asks("b")],
        (Call("a", "pay", "function", 0, approval="yes"), Call("b", "pay", "function", 1)),
    ),
]
ASKED = ApprovalRequested("t1.a", "a", "desk", "pay")
OF_CHILD = ApprovalRequested("t1.b", "x", "inner", "pay", child="run/t1.b", item=asks("x"))
BEGUN = EffectStarted("t1.b", "tool", "pay")
ANSWERED = ToolReturned("t1.b", "b", says("b"))
DECIDED = ApprovalDecided("a", approved=True, agent="desk", name="pay")
PARKED = RunParked("k.t1.b.1", "t1.b", 90.0, 30.0)
ERROR = ErrorFacts("ValueError", "no")

TABLE: list[tuple[str, list[Event], str, list[str]]] = [
    # what happened, the log, the word, the calls that wait
    ("nothing", [], "empty", []),
    ("a start", [started()], "running", []),
    ("a reply with calls", TURN, "running", []),
    ("a call asks, another has not begun", [*TURN, ASKED], "running", ["a"]),
    ("a call asks, another runs", [*TURN, BEGUN, ASKED], "running", ["a"]),
    ("a call asks, another is answered", [*TURN, ASKED, BEGUN, ANSWERED], "waiting", ["a"]),
    ("and then the process dies", [*TURN, ASKED, ANSWERED, RunAcquired("b")], "waiting", ["a"]),
    ("one dies while a call runs", [*TURN, ASKED, BEGUN, RunAcquired("b")], "running", ["a"]),
    ("somebody decided", [*TURN, ASKED, ANSWERED, DECIDED], "running", []),
    ("a child asks too", [*TURN, ASKED, BEGUN, OF_CHILD], "waiting", ["a", "run/t1.b/x"]),
    ("a child asks, the other was decided", [*TURN, ASKED, OF_CHILD, DECIDED], "running",
     ["run/t1.b/x"]),
    ("a call is parked, another has not begun", [*TURN, BEGUN, PARKED], "running", []),
    ("one is parked, one asks", [*TURN, ASKED, BEGUN, PARKED], "parked", ["a"]),
    ("and is unparked", [*TURN, ASKED, BEGUN, PARKED, RunUnparked()], "running", ["a"]),
    ("taken over before it is due", [*TURN, ASKED, BEGUN, PARKED, RunAcquired("b")], "parked",
     ["a"]),
    ("the caller left", [*TURN, RunAbandoned("leave")], "abandoned", []),
    ("the caller left a run that goes on", [*TURN, RunAbandoned("finish")], "running", []),
    ("left, and taken up again", [*TURN, RunAbandoned("leave"), RunAcquired("b")], "running", []),
    ("completed", [*TURN, RunCompleted()], "completed", []),
    ("failed", [*TURN, RunFailed(ERROR)], "failed", []),
    ("failed while a call asked", [*TURN, ASKED, RunFailed(ERROR)], "failed", []),
    ("failed, and goes on", [*TURN, RunFailed(ERROR), RunReopened()], "running", []),
    ("failed while a call asked, and goes on", [*TURN, ASKED, ANSWERED, RunFailed(ERROR),
     RunReopened()], "waiting", ["a"]),
    ("cancelled", [*TURN, RunCancelled()], "cancelled", []),
    ("cancelled while a call asked", [*TURN, ASKED, RunCancelled()], "cancelled", []),
    ("cancelled while it was parked", [*TURN, BEGUN, PARKED, RunCancelled()], "cancelled", []),
    ("abandoned while it was parked", [*TURN, PARKED, RunAbandoned("leave")], "abandoned", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("log", "word", "keys"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_a_log_has_one_word_and_its_waiting_calls(log, word, keys):
    state = fold(log)
    assert status(state) == word
    assert [call.key for call in waiting_calls(state)] == keys
    assert waits_for_person(state) == (word == "waiting")


def test_the_word_of_a_run_depends_on_whether_a_process_is_at_work_only_while_it_runs():
    changed = {word for word in STATUSES if seen(word, is_held=False) != word}
    assert changed == {"running"}
    assert all(seen(word, is_held=True) == word for word in STATUSES)


def test_a_call_that_waits_is_known_by_the_id_of_the_model_and_says_what_will_run():
    own, child = waiting_calls(fold([*TURN, ASKED, OF_CHILD]))
    assert (own.own_id, own.agent, own.tool, own.item) == ("a", "desk", "pay", asks("a"))
    assert (child.own_id, child.agent, child.item) == ("x", "inner", asks("x"))


def test_a_parked_run_is_due_when_the_first_of_its_providers_is():
    later = RunParked("k.t1.a.1", "t1.a", 400.0, 30.0)
    assert retry_at(fold([*TURN, PARKED, later])) == 90.0
    assert retry_at(fold(TURN)) is None


# --- Any log. ----------------------------------------------------------------------------


def check_prefixes(events: list[Event]) -> None:
    for end in range(len(events) + 1):
        state = fold(events[:end])
        word = status(state)
        assert word in ("empty", *STATUSES)
        assert (word in ENDED) == (state.ended is not None)
        assert (word == "waiting") <= bool(waiting_calls(state))
        assert timeline(stored(events[:end])).status == word


@settings(max_examples=150, deadline=None)
@given(ANY_LOG)
def test_every_prefix_of_any_log_has_one_word(events):
    check_prefixes(events)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_a_run_comes_to_without_work_is_its_end_or_a_wait(seed):
    events = play(World(seed), order=random.Random(seed))
    state = fold(events)
    assert not decide(state)
    assert status(state) in {*ENDED, "waiting"}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), crashes=st.sampled_from([0.0, 0.1]))
def test_a_journal_that_sees_single_events_says_the_same(seed, crashes):
    word = "empty"
    events = play(World(seed), order=random.Random(seed), crashes=crashes)
    for end, event in enumerate(events, 1):
        if word in ENDED:  # Nobody takes over what has ended.
            break
        word = status_after(event) or word
        said = status(fold(events[:end]))
        assert said == word or (said, word) == ("waiting", "running")
