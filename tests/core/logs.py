"""Logs to fold: those of released versions, and those that a made-up world makes."""

from __future__ import annotations

import base64
import json
import random
import sys
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

sys.path.insert(0, str(Path(__file__).parent))

from world import World, play  # a module beside this one

from outlast.core.events import Event, GuardrailNames, UnknownEvent

EVENT_TYPES = sorted({*get_args(Event)} - {UnknownEvent}, key=lambda each: each.__name__)
GOLDEN = Path(__file__).parents[1] / "golden"


@cache
def golden_logs() -> list[list[Event]]:
    return [_golden(file) for file in sorted(GOLDEN.glob("v*.jsonl"))]


def _golden(file: Path) -> list[Event]:
    bodies = [base64.b64decode(json.loads(line)[6]) for line in file.read_text().splitlines()]
    return [event for body in bodies for event in msgspec.json.decode(body, type=list[Event])]


@cache
def played_logs() -> list[list[Event]]:
    """Whole runs: handoffs, approvals, doubts, sessions, guardrails, limits, failures."""
    worlds = [
        (World(seed, options, guards, trips), seed)
        for seed in range(12)
        for options in (
            {},
            {"session": True, "shortens_session": True, "max_parallel_calls": 2},
            {"recover_max_turns": True},
        )
        for guards, trips in (
            (GuardrailNames(), False),
            (GuardrailNames(("first",), ("beside",)), seed % 4 == 0),
        )
    ]
    return [play(world, order=random.Random(seed), crashes=0.1) for world, seed in worlds]


def made(kind: type, dice: random.Random, known: list[Event]) -> Event:
    """Any event of a type: what its form allows, about things that a log knows, or about none."""
    value = _value(inspect.type_info(kind), dice, _texts(known), "")
    return msgspec.convert({**value, "type": kind.__struct_config__.tag}, kind)


def _texts(known: list[Event]) -> dict[str, list[Any]]:
    texts: dict[str, list[Any]] = {}
    for event in known:
        for key, value in msgspec.to_builtins(event).items():
            texts.setdefault(key, []).append(value)
    return texts


def _value(kind: Any, dice: random.Random, known: dict[str, list[Any]], name: str) -> Any:  # noqa: C901, PLR0911, PLR0912  # one line a type
    match kind:
        case inspect.StructType():
            return {
                field.encode_name: _value(field.type, dice, known, field.encode_name)
                for field in kind.fields
                if field.required or dice.random() < 0.4
            }
        case inspect.UnionType():
            return _value(dice.choice(kind.types), dice, known, name)
        case inspect.LiteralType():
            return dice.choice(kind.values)
        case inspect.ListType() | inspect.VarTupleType():
            return [_value(kind.item_type, dice, known, name) for _ in range(dice.randint(0, 3))]
        case inspect.DictType():
            return dice.choice([{}, *ITEMS])
        case inspect.StrType():
            texts = [text for text in known.get(name, []) if isinstance(text, str)]
            return dice.choice(texts if texts and dice.random() < 0.7 else TEXTS)
        case inspect.IntType():
            return dice.choice([-1, 0, 1, 2, 7, 10**12])
        case inspect.FloatType():
            return dice.choice([-1.0, 0.0, 0.5, 1e300])
        case inspect.BoolType():
            return dice.random() < 0.5
        case inspect.NoneType():
            return None
        case _:
            return dice.choice([None, 1, "text", [1], {"a": {"b": 2}}])


TEXTS = [
    "",
    "x",
    "m1",
    "m2",
    "p1",
    "t1.c1",
    "a1.c1",
    "h1.c3",
    "g1.in.0",
    "g9.out.7",
    "s0",
    "w.m1.1",
    "\ud7ff.",
]
ITEMS: list[dict[str, Any]] = [
    {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{not json"},
    {"type": "function_call", "call_id": ["c1"], "name": {"a": 1}, "arguments": {"q": [1]}},
    {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "x"}]},
    {"type": {"odd": 1}, "id": 7, "call_id": None},
    {"type": "message", "content": [{"type": "output_text", "text": 3}, "loose"]},
    {"type": "shell_call", "call_id": {"a": []}, "action": {"commands": []}},
]  # fmt: skip
