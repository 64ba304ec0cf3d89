"""The ids of effects: one form, one reader."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from outlast.core.ids import (
    EffectId,
    approval_id,
    check_id,
    check_place,
    effect_id,
    timer_id,
    tool_check_id,
)

IDS = [
    ("p3", "prepare", 3, ""),
    ("m12", "model", 12, ""),
    ("t3.call_1", "tool", 3, "call_1"),
    ("t3.a.b.c", "tool", 3, "a.b.c"),
    ("t1.", "tool", 1, ""),
    ("a3.call_1", "approval", 3, "call_1"),
    ("h3.call_1", "handoff", 3, "call_1"),
    ("g1.in.0", "guardrail", 1, "in.0"),
    ("g2.out.1", "guardrail", 2, "out.1"),
    ("f3", "conclude", 3, ""),
    ("e3", "recover", 3, ""),
    ("s0", "session", 0, ""),
    ("s0.load", "session", 0, "load"),
    ("s3.7", "session", 3, "7"),
    ("s3.fail", "session", 3, "fail"),
    ("w.m3.1", "wait", 3, "m3.1"),
    ("k.t3.a.b.2", "park", 3, "t3.a.b.2"),
    ("i1", "input", 1, ""),
]
NONE = [
    "", "end", "t1", "t01.x", "t².x", "t-1.x", "t 1.x", "tx.y", "w", "wm3", "s1.", "x1", "T1.c",
    "t" + "9" * 5000 + ".c", "p3 ", "g.in.0",
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "turn", "key"), IDS)
def test_an_id_says_where_in_the_run_an_effect_stands(text, kind, turn, key):
    assert EffectId.parse(text) == EffectId(kind, turn, key)


@pytest.mark.parametrize("text", [row[0] for row in IDS])
def test_an_id_keeps_its_text(text):
    assert str(EffectId.parse(text)) == text


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_id_is_unknown_and_comes_out_as_it_went_in(text):
    assert EffectId.parse(text) == EffectId("unknown", 0, text)
    assert str(EffectId.parse(text)) == text


@given(st.text(max_size=30) | st.from_regex(r"[a-z]\.?[0-9]*\.?[a-z0-9.]*", fullmatch=True))
def test_reading_never_fails_and_loses_nothing(text):
    assert str(EffectId.parse(text)) == text


@given(st.sampled_from(["tool", "handoff", "approval"]), st.integers(0, 10**12), st.text())
def test_any_id_of_a_call_can_be_read_back(kind, turn, call_id):
    assert EffectId.parse(effect_id(kind, turn, call_id)) == EffectId(kind, turn, call_id)


def test_a_long_chain_of_waits_is_read():
    text = "w." * 20_000 + "m1.1"
    assert str(EffectId.parse(text)) == text


def test_the_question_about_a_call_stands_beside_the_call():
    assert approval_id("t3.c.1") == "a3.c.1"


def test_a_wait_stands_in_the_turn_of_what_waits():
    assert timer_id("wait", "m7", 2) == "w.m7.2"
    assert EffectId.parse("w.m7.2").turn == 7


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (check_id("input", 2), ("in", 2)),
        (check_id("output", 11, 4), ("out", 11)),
        (tool_check_id("t1.c.out.5", "tool_input", 3), ("in", 3)),
        (tool_check_id("t1.c", "tool_output", 0), ("out", 0)),
        ("t1.c", ("in", -1)),
        ("g1.in.x", ("in", -1)),
        ("", ("in", -1)),
    ],
)
def test_a_check_says_which_guardrail_of_its_list_makes_it(text, place):
    assert check_place(text) == place
