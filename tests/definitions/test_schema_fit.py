"""Arguments that a person writes are held against the tool's schema: what it says plainly is kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from outlast import function_tool
from outlast.definitions.schema_fit import misfits


class Line(BaseModel):
    article: str
    count: int = 1


class Tree(BaseModel):
    below: list[Tree] = []


def order(
    lines: list[Line],
    urgency: Literal["low", "high"],
    limit: Annotated[int, Field(ge=1, le=9)],
    price: float = 1.0,
    note: str | None = None,
    tree: Tree | None = None,
) -> str:
    raise NotImplementedError


FINE: dict[str, Any] = {"lines": [{"article": "cup"}], "urgency": "low", "limit": 3}
TOOLS = [function_tool(order), function_tool(order, strict_mode=False)]


MORE: list[dict[str, Any]] = [
    {},
    {"price": 2},
    {"note": None},
    {"note": "x"},
    {"lines": []},
    {"tree": {"below": [{"below": []}]}},
]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("more", MORE)
def test_what_the_tool_takes_fits(tool: Any, more: dict[str, Any]):
    assert misfits(tool.params_json_schema, {**FINE, **more}) == []


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lins": []}, "lins: there is no such argument"),
        ({"urgency": "hgih"}, "urgency: expected one of: 'low', 'high'"),
        ({"limit": "3"}, "limit: expected integer, got string"),
        ({"limit": True}, "limit: expected integer, got boolean"),
        ({"limit": 10}, "limit: must be at most 9"),
        ({"price": "free"}, "price: expected number, got string"),
        ({"note": 3}, "note: expected string or null, got integer"),
        ({"lines": "cup"}, "lines: expected array, got string"),
        ({"lines": [{"count": 2}]}, "lines.0.article: is missing"),
        ({"tree": {"below": [{"below": 1}]}}, "tree: expected"),
    ],
)
def test_what_it_does_not_take_is_named(tool: Any, wrong: dict[str, Any], said: str):
    (fault,) = misfits(tool.params_json_schema, {**FINE, **wrong})
    assert said in fault


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({}, {"x": 1}),
        ("odd", {"x": 1}),
        ({"type": "object", "properties": {}, "additionalProperties": True}, {"x": 1}),
        ({"properties": {"x": {"$ref": "https://elsewhere/"}}}, {"x": 1}),
        ({"properties": {"x": {"$ref": "#/properties/x"}}}, {"x": 1}),
        ({"properties": {"x": {"allOf": [{"$ref": "#/properties/x"}]}}}, {"x": 1}),
    ],
)
def test_a_schema_that_says_nothing_refuses_nothing(schema: Any, arguments: dict[str, Any]):
    assert misfits(schema, arguments) == []
