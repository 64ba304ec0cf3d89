"""Table: which argument of a call made earlier would be lost, or be another value, for a changed tool."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from outlast import FunctionTool, function_tool
from outlast.definitions.strict_schema import strict_parameters


class Size(Enum):
    SMALL = "small"


class Spot(BaseModel):
    x: int


def tool(**kinds: Any) -> FunctionTool:
    names = ", ".join(f"{name}: kinds[{name!r}] = None" for name in kinds)
    scope: dict[str, Any] = {"kinds": kinds}
    exec(f"def work({names}): ...", scope)  # a signature from the table
    return function_tool(scope["work"], strict_mode=False)


CASES = [
    # earlier, now, what was sent, what would change
    (tool(a=int), tool(a=int), {"a": 1}, None),
    (tool(a=int), tool(a=int, b=int), {"a": 1}, None),
    (tool(a=int), tool(b=int), {"a": 1}, "a"),
    (tool(a=int), tool(b=int), {}, None),
    (tool(a=int), tool(b=int), {"never": 1}, None),
    (tool(a=int), tool(a=int, b=int), {"a": 1, "never": 1}, None),
    (tool(a=int), tool(a=bool), {"a": 1}, "a"),
    (tool(a=int), tool(a=bool), {"a": 17}, None),  # Refused, which the model is told.
    (tool(a=bool), tool(a=int), {"a": True}, "a"),
    (tool(a=str), tool(a=int), {"a": "1"}, "a"),
    (tool(a=int, b=int), tool(a=int, b=float), {"a": "1", "b": 1}, None),  # a is read as before.
    (tool(a=int), tool(a=float), {"a": 1}, None),
    (tool(a=float), tool(a=int), {"a": 1.0}, None),
    (tool(a=str), tool(a=date), {"a": "2025-01-01"}, None),
    (tool(a=int), tool(a=date), {"a": 86400}, "a"),
    (tool(a=str), tool(a=Decimal), {"a": "1.5"}, None),
    (tool(a=str), tool(a=Size), {"a": "small"}, None),
    (tool(a=list[int]), tool(a=list[bool]), {"a": [1]}, "a"),
    (tool(a=dict[str, Any]), tool(a=Spot), {"a": {"x": "1"}}, "a"),
    (tool(a=dict[str, Any]), tool(a=Spot), {"a": {"x": 1}}, None),
    (tool(a=str), tool(a=int), {"a": None}, None),
]


@pytest.mark.parametrize(("earlier", "now", "sent", "changed"), CASES)
def test_what_would_change(earlier: Any, now: Any, sent: dict[str, Any], changed: str | None):
    assert now.changes(json.dumps(sent), earlier.params_json_schema) == changed


def by_hand(schema: dict[str, Any]) -> FunctionTool:
    return FunctionTool("t", "", schema, None, strict_json_schema=False)


def test_of_a_tool_that_its_author_calls_only_the_schema_counts():
    earlier: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}
    is_open: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "integer"}}}
    closed = {**is_open, "additionalProperties": False}
    sent = '{"a": 1}'
    assert [by_hand(each).changes(sent, earlier) for each in (is_open, closed)] == [None, "a"]
    assert by_hand(strict_parameters("t", is_open)).changes(sent, earlier) == "a"


def test_what_is_no_json_object_changes_nothing():
    assert tool(b=int).changes("[1", tool(a=int).params_json_schema) is None
