"""The id of an effect is its position in the run. Only this module writes one as text, or reads it.

    p3, m3               turn 3 is prepared; its model call
    t3.<call id>         a tool call of turn 3; `a3.` asks whether it needs a person, `h3.` hands off
    t3.<call id>.in.0    the answer of the tool's first input guardrail
    g1.in.0, g2.out.1    a guardrail of the run's input, of its output
    f3, e3               how turn 3 ends; an error handler
    s0.load, s0, s3.7    the session is read, holds the input, holds seven entries
    s3.7.shorten         the session shortens itself, if it thinks that it is time
    w.m3.1, k.m3.1       a wait before another attempt of `m3`; a wait without a process
    i1                   input that somebody staged: no effect, but items come from it

Ids stand in logs, so their text never changes. Everything here is total: a text that is no id of
ours is of the kind `unknown`, and comes out as it went in.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

IdKind = Literal[
    "prepare", "model", "tool", "approval", "handoff", "guardrail", "conclude", "recover", "session",
    "wait", "park", "input", "unknown",
]  # fmt: skip

END = "end"
"""What the record of a run's end is called while it is decided; no log has it."""


class EffectId(NamedTuple):
    """A position in a run."""

    kind: IdKind
    turn: int
    """Counted from 1, as the model's replies are; 0 is before the first."""
    key: str = ""
    """What tells effects of one kind and turn apart: for a call its id."""

    def __str__(self) -> str:
        """The text of the id, as logs have it."""
        return effect_id(*self)

    @classmethod
    def parse(cls, text: str) -> EffectId:
        """The position that ``text`` means."""
        kind: IdKind = _KINDS.get(text[:1], "unknown")
        # A timer stands in the turn of the effect that waits.
        place = text[2:] if kind in _TIMERS else text
        digits, _, key = place[1:].partition(".")
        position = cls(kind, max(_number(digits), 0), place if kind in _TIMERS else key)
        return position if str(position) == text else cls("unknown", 0, text)


def effect_id(kind: IdKind, turn: int, key: str = "") -> str:
    """The text of a position; quicker than by way of an `EffectId`."""
    if kind == "unknown":
        return key
    letter = _LETTERS[kind]
    if kind in _TIMERS:
        return f"{letter}.{key}"
    return f"{letter}{turn}.{key}" if key or kind in _CALLS else f"{letter}{turn}"


def approval_id(tool_effect: str) -> str:
    """The id of the effect that asks whether a call needs a person."""
    return str(EffectId.parse(tool_effect)._replace(kind="approval"))


def timer_id(kind: Literal["wait", "park"], of: str, number: int) -> str:
    """The id of the ``number``-th wait of an effect in a row."""
    return effect_id(kind, 0, f"{of}.{number}")


def check_id(stage: str, index: int, turn: int = 1) -> str:
    """The id of a guardrail of the run's input or output."""
    return effect_id("guardrail", turn, f"{_SIDES[stage]}.{index}")


def tool_check_id(tool_effect: str, stage: str, index: int) -> str:
    """The id of what a tool's guardrail answers about a call."""
    return f"{tool_effect}.{_SIDES[stage]}.{index}"


def check_place(text: str) -> tuple[Literal["in", "out"], int]:
    """What a check is about, input or output, and which guardrail of its list makes it.

    The index is -1 where the text is not the id of a check.
    """
    rest, _, digits = text.rpartition(".")
    side = "out" if rest.endswith(".out") else "in"
    return side, _number(digits) if rest.endswith((".in", ".out")) else -1


def _number(digits: str) -> int:
    """The number that is written so; -1 where none is, or one that counts nothing that can happen."""
    is_number = digits.isascii() and digits.isdecimal() and len(digits) < _LONG
    return int(digits) if is_number else -1


_LETTERS: dict[IdKind, str] = {
    "prepare": "p",
    "model": "m",
    "tool": "t",
    "approval": "a",
    "handoff": "h",
    "guardrail": "g",
    "conclude": "f",
    "recover": "e",
    "session": "s",
    "wait": "w",
    "park": "k",
    "input": "i",
}
_KINDS: dict[str, IdKind] = {letter: kind for kind, letter in _LETTERS.items()}
_CALLS = {"tool", "approval", "handoff", "guardrail"}
_TIMERS = {"wait", "park"}
_SIDES = {"input": "in", "output": "out", "tool_input": "in", "tool_output": "out"}
_LONG = 19  # Python refuses to read a number of very many digits.
