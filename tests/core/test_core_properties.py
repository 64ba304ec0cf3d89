"""What must hold for every log that the loop can make."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from hypothesis import given, settings, strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from world import World, play, started  # a module beside this one

from outlast.core import events, evolve as evolving
from outlast.core.decide import decide, leaves_wishes
from outlast.core.effects import Record
from outlast.core.events import (
    Call,
    EffectStarted,
    GuardrailNames,
    HandedOff,
    ModelReplied,
    ToolReturned,
    TurnPrepared,
)
from outlast.core.evolve import evolve, fold
from outlast.core.ids import approval_id
from outlast.core.state import RunState, answered

SEEDS = st.integers(0, 2**32)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "session": st.booleans(),
        "hold_side_effects": st.booleans(),
        "max_parallel_calls": st.integers(1, 3),
        "recover_max_turns": st.booleans(),
    },
)
GUARDS = st.sampled_from(
    [GuardrailNames(), GuardrailNames(("first",), ("beside",)), GuardrailNames((), ("a", "b"))]
)
FEW = settings(max_examples=150, deadline=None)


def a_log(seed: int, options: dict, guards: GuardrailNames, *, crashes: float = 0.0, trips=False):
    world = World(seed, options, guards, trips)
    return play(world, order=random.Random(seed), crashes=crashes)


@FEW
@given(SEEDS, OPTIONS, GUARDS, st.booleans())
def test_every_run_ends(seed, options, guards, trips):
    assert fold(a_log(seed, options, guards, trips=trips)).ended


@FEW
@given(SEEDS, OPTIONS, GUARDS)
def test_a_run_that_crashes_often_ends_too(seed, options, guards):
    assert fold(a_log(seed, options, guards, crashes=0.15)).ended


@FEW
@given(SEEDS, OPTIONS, GUARDS, st.data())
def test_every_prefix_of_a_log_folds_and_deciding_twice_gives_the_same(seed, options, guards, data):
    log = a_log(seed, options, guards, crashes=0.1)
    prefix = fold(log[: data.draw(st.integers(0, len(log)))])
    assert decide(prefix) == decide(prefix)


@FEW
@given(SEEDS, OPTIONS, GUARDS)
def test_an_effect_is_not_wanted_once_its_result_is_recorded(seed, options, guards):
    log = a_log(seed, options, guards, crashes=0.1)
    state, finished = RunState(), set()
    for event in log:
        state = evolve(state, event)
        if isinstance(event, (ModelReplied, ToolReturned, HandedOff)):
            finished.add(event.id)
        wanted = {effect.id for effect in decide(state) if not isinstance(effect, Record)}
        assert not wanted & finished


@FEW
@given(SEEDS, OPTIONS, GUARDS, st.booleans())
def test_what_leaves_the_wishes_as_they_are_needs_no_new_decision(seed, options, guards, trips):
    state = RunState()
    for event in a_log(seed, options, guards, crashes=0.1, trips=trips):
        after = evolve(state, event)
        if leaves_wishes(state, event):
            ended = {getattr(event, "id", ""), approval_id(getattr(event, "id", ""))}
            assert decide(after) == [each for each in decide(state) if each.id not in ended], event
        state = after


def test_of_many_calls_each_ends_without_a_new_decision():
    calls = tuple(Call(f"c{n}", "look", "function", n) for n in range(50))
    items = [{"type": "function_call", "call_id": each.id, "name": "look"} for each in calls]
    state = fold([started(), TurnPrepared("p1", "desk"), ModelReplied("m1", "desk", items, calls)])
    for effect in decide(state):
        state = evolve(state, EffectStarted(effect.id, "tool"))
    again = 0
    for call in calls:
        event = ToolReturned(f"t1.{call.id}", call.id, {"output": "x"})
        again += not leaves_wishes(state, event)
        state = evolve(state, event)
    assert again == 1  # The last one.


@FEW
@given(SEEDS, OPTIONS, GUARDS)
def test_no_effect_starts_again_after_its_result(seed, options, guards):
    log = a_log(seed, options, guards, crashes=0.15)
    finished: set[str] = set()
    for event in log:
        if isinstance(event, EffectStarted):
            assert event.id not in finished
        if isinstance(event, (ModelReplied, ToolReturned, HandedOff)):
            finished.add(event.id)


@FEW
@given(SEEDS)
def test_a_tool_that_runs_once_is_never_started_twice(seed):
    log = a_log(seed, {}, GuardrailNames(), crashes=0.25)
    starts = [e.id for e in log if isinstance(e, EffectStarted) and e.policy == "once"]
    assert len(starts) == len(set(starts))


@FEW
@given(SEEDS, st.integers(0, 1000), st.integers(0, 1000))
def test_the_order_in_which_parallel_calls_end_does_not_show(seed, one, other):
    ends = []
    for order in (one, other):
        world = World(seed)
        state = fold(play(world, order=_Deciding(order)))
        ends.append([entry.item for entry in (*state.entries, *answered(state))])
    assert ends[0] == ends[1]


class _Deciding(random.Random):
    """Chooses which call ends first by its seed; every decision of a person is yes."""

    def random(self) -> float:
        return 0.5


@FEW
@given(SEEDS)
def test_every_call_in_a_finished_conversation_has_an_output(seed):
    state = fold(a_log(seed, {}, GuardrailNames(), crashes=0.05))
    calls = [e.item["call_id"] for e in state.entries if e.item["type"] == "function_call"]
    outputs = [e.item["call_id"] for e in state.entries if "output" in e.item]
    assert sorted(calls) == sorted(outputs)


def test_a_tripped_guardrail_leaves_nothing_of_the_turn_beside_it():
    for seed in range(40):
        state = fold(a_log(seed, {}, GuardrailNames((), ("a",)), trips=True))
        assert not len(state.entries)


def test_every_event_is_folded_or_known_to_change_nothing():
    silent = {
        events.EffectAccepted, events.ContextPatched, events.TimerSet,
        events.ChildCompleted, events.UnknownEvent,
    }  # fmt: skip
    assert set(events.Event.__args__) == set(evolving._FOLDS) | silent
