"""What holds for every log, also for one that no loop would make: the fold is total."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from outlast.core.decide import decide
from outlast.core.effects import AskApproval, RunTool
from outlast.core.errors import JournalCorrupt
from outlast.core.events import (
    ApprovalDecided,
    Call,
    Event,
    GuardrailNames,
    HandedOff,
    History,
    InputAdded,
    ModelReplied,
    OutputBlocked,
    OutputProduced,
    RunAcquired,
    RunStarted,
    ToolReturned,
    TurnPrepared,
)
from outlast.core.evolve import fold
from outlast.journal.codec import Draft, decode, seal

GOLDEN = Path(__file__).parents[1] / "golden" / "v1.jsonl"
EVENTS: list[Event] = [
    event
    for line in GOLDEN.read_text().splitlines()
    for event in msgspec.json.decode(
        base64.b64decode(msgspec.json.decode(line)[6]), type=list[Event]
    )
]


def call(key: str, name: str = "t", kind: str = "function", index: int = 0, **more) -> Call:
    return Call(key, name, kind, index, **more)


def asks(key: str, name: str) -> dict:
    return {"type": "function_call", "name": name, "arguments": "{}", "call_id": key}


def answer(key: str, text: str = "secret") -> dict:
    return {"type": "function_call_output", "call_id": key, "output": text}


# --- Totality. ---------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_events_in_any_order_and_any_number_fold(seed):
    dice = random.Random(seed)
    fold(dice.choices(EVENTS, k=dice.randint(1, 40)))


def test_options_of_another_type_change_nothing():
    started = RunStarted(agent="a", input=[], options={"max_parallel_calls": "two"})
    assert fold([started]).options.max_parallel_calls is None
    acquired = RunAcquired("pid 1", options={"hold_side_effects": "perhaps"})
    assert fold([RunStarted(agent="a", input=[]), acquired]).options.hold_side_effects


@pytest.mark.parametrize("index", [3, -1])
def test_a_call_that_no_item_makes_is_not_open(index):
    reply = ModelReplied("m1", "a", [], (call("c", index=index),))
    assert fold([RunStarted(agent="a", input=[]), reply]).open_calls == {}


@pytest.mark.parametrize(
    "event",
    [
        ModelReplied("m1", "a", [], (call("c", index=3),)),
        RunStarted(agent="a", input=[], options={"max_parallel_calls": "two"}),
        RunAcquired("pid 1", options={"session": 7}),
    ],
)
def test_a_journal_refuses_what_makes_no_sense(event):
    body = msgspec.json.encode([event])  # As nobody would write it: `encode` refuses to.
    row = seal(Draft(body, 1, crc32(body), "", None), "r", 0, 1, 0)
    with pytest.raises(JournalCorrupt, match="Event 0 of run 'r'"):
        decode("r", [row])


# --- Two histories. ----------------------------------------------------------------------


def filtered_run() -> list:
    first = [
        RunStarted(agent="a", input=[]),
        TurnPrepared("p1", "a"),
        ModelReplied("m1", "a", [asks("c1", "t")], (call("c1"),)),
        ToolReturned("t1.c1", "c1", answer("c1")),
        TurnPrepared("p2", "a"),
        ModelReplied("m2", "a", [asks("h", "to_b")], (call("h", "to_b", "handoff"),)),
    ]
    kept = tuple(fold(first).entries)
    return [
        *first,
        HandedOff("h2.h", "h", "a", "b", answer("h"), History([], kept, ())),
        TurnPrepared("p3", "b", tools_may_end=True),
        ModelReplied("m3", "b", [asks("c2", "t")], (call("c2"),)),
        ToolReturned("t3.c2", "c2", answer("c2")),
        OutputProduced("f3", "secret", "tool", None, ("g",)),
    ]


def test_what_a_filter_took_from_the_model_stays_away_when_an_output_is_blocked():
    before = fold(filtered_run())
    after = fold([OutputBlocked("t3.c2", "c2", answer("c2", "withheld"))], before)
    items = [entry.item for entry in after.model_entries]
    assert items == [asks("c2", "t"), answer("c2", "withheld")]


def test_a_blocked_output_is_withheld_from_the_caller_and_the_model():
    after = fold([*filtered_run(), OutputBlocked("t3.c2", "c2", answer("c2", "withheld"))])
    for entries in (after.entries, after.model_entries):
        outputs = {e.item["call_id"]: e.item["output"] for e in entries if "output" in e.item}
        assert outputs.get("c2") == "withheld"
    assert {e.item.get("output") for e in after.entries} >= {"secret", "withheld"}


# --- Decisions for all calls of a tool. --------------------------------------------------

ALIKE = [
    # who decided: agent, server, tool; who asks next
    (("billing/shop", "", "delete"), ("billing", "shop", "delete")),
    (("billing", "shop", "delete"), ("billing/shop", "", "delete")),
    (("a", "x/y", "z"), ("a", "x", "y/z")),
    (("a", "x", "y/z"), ("a", "x/y", "z")),
    (("a", "", "x/y"), ("a", "x", "y")),
    (("a", "", "x%2Fy"), ("a", "", "x/y")),
]


def next_effect(decided: tuple, asking: tuple):
    agent, server, name = decided
    scoped = call("c0", name, server=server).scoped_name
    other, its_server, its_name = asking
    kind = "mcp_approval" if its_server else "function"
    return decide(
        fold(
            [
                RunStarted(agent=other, input=[]),
                ApprovalDecided("c0", approved=True, always=True, agent=agent, name=scoped),
                TurnPrepared("p1", other),
                ModelReplied(
                    "m1",
                    other,
                    [asks("c1", its_name)],
                    (call("c1", its_name, kind, approval="yes", server=its_server),),
                ),
            ]
        )
    )


@pytest.mark.parametrize(("decided", "asking"), ALIKE)
def test_an_always_holds_for_the_tool_that_it_was_said_of_and_no_other(decided, asking):
    assert isinstance(next_effect(decided, asking)[0], AskApproval)
    assert isinstance(next_effect(decided, decided)[0], RunTool)


# --- Staged input. -----------------------------------------------------------------------


def test_staged_input_is_checked_by_the_guardrails_that_it_was_staged_with():
    log = [
        RunStarted(agent="a", input=[], guardrails=GuardrailNames(("old",))),
        TurnPrepared("p1", "a"),
        ModelReplied("m1", "a", [asks("c1", "t")], (call("c1"),)),
        ToolReturned("t1.c1", "c1", answer("c1")),
        InputAdded("i1", [], GuardrailNames(("new", "newer"), ("beside",))),
    ]
    state = fold(log)
    state = msgspec.structs.replace(state, open_checks=state.open_checks - {"g1.in.0"})
    checks = decide(state)
    assert [(each.id, each.name) for each in checks] == [("g2.in.0", "new"), ("g2.in.1", "newer")]
