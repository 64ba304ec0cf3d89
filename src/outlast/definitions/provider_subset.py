"""Keywords that pydantic writes for Python's types and OpenAI refuses in a strict schema.

A request with one of them is refused whole, with every tool that is in it. What they say is checked
when the arguments come, and a model that gets it wrong is told so; here it becomes words.

What may be anything (`Any`, `list` alone) is any JSON value but an object: a strict schema names all
properties of an object, so there is none that may have any.
"""

from __future__ import annotations

import json
from typing import Any, cast

Schema = dict[str, Any]

_FORMATS = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
})  # fmt: skip
# What gives a node a type, or stands for one that has it.
_TYPED = frozenset(
    {"type", "$ref", "anyOf", "oneOf", "allOf", "properties", "additionalProperties"}
)
# Notes to programs, which the model has no use for.
_NOTES = frozenset({
    "readOnly", "writeOnly", "deprecated", "contentMediaType", "contentEncoding", "contentSchema",
})  # fmt: skip
_SCALARS = ("string", "number", "boolean", "null")
_TYPE_NAMES: dict[type, str] = {
    str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null",
}  # fmt: skip
_LOOKAROUNDS = ("(?=", "(?!", "(?<=", "(?<!")


def in_subset(node: Schema, *, is_root: bool = False) -> Schema:
    """``node`` without what OpenAI refuses. What is below it stays as it is."""
    node = _with_items(node if is_root else _with_type(node))
    if node.get("uniqueItems") is True:
        del node["uniqueItems"]  # A set is made of the items, whatever came twice.
    if isinstance(node.get("format"), str) and node["format"] not in _FORMATS:
        node = _described(node, f"Format: {node.pop('format')}.")
    pattern = node.get("pattern")
    if isinstance(pattern, str) and any(each in pattern for each in _LOOKAROUNDS):
        del node["pattern"]
    if isinstance(node.get("examples"), list):
        shown = ", ".join(json.dumps(each, ensure_ascii=False) for each in node.pop("examples"))
        node = _described(node, f"Examples: {shown}.")
    return node


def without_notes(node: Schema) -> Schema:
    """``node`` without notes to programs, unless they stand beside a reference, to be merged with it."""
    if "$ref" in node:
        return node
    return {key: value for key, value in node.items() if key not in _NOTES}


def _with_type(node: Schema) -> Schema:
    """``node`` with the type that OpenAI wants to be said, also of what may be anything."""
    if node.keys() & _TYPED:
        return node
    values: Any = [node["const"]] if "const" in node else node.get("enum")
    if not isinstance(values, list):
        return {**node, **_anything()}
    found = [_type_of(each) for each in cast("list[Any]", values)]
    kinds = list(dict.fromkeys(found))
    if None in kinds:
        return node
    return {**node, "type": kinds[0] if len(kinds) == 1 else kinds}


def _type_of(value: object) -> str | None:
    return next((name for kind, name in _TYPE_NAMES.items() if type(value) is kind), None)


def _anything() -> Schema:
    members: list[Schema] = [{"type": kind} for kind in _SCALARS]
    return {"anyOf": [*members, {"type": "array", "items": {"type": list(_SCALARS)}}]}


def _with_items(node: Schema) -> Schema:
    """A tuple as a list: OpenAI wants `items`, and does not know `prefixItems`."""
    if node.get("type") == "array" and node.get("maxItems") == 0:
        return {**node, "items": node.get("items") or {"type": "string"}}  # An empty tuple.
    positions: Any = node.get("prefixItems")
    rest: Any = node.get("items")
    if node.get("type") == "array" and not positions and rest in (None, True, {}):
        return {**node, "items": _anything()}
    if not isinstance(positions, list) or not positions or rest is True:
        return node
    places = cast("list[Any]", positions)
    if not all(isinstance(each, dict) for each in places):
        return node
    node = {key: value for key, value in node.items() if key != "prefixItems"}
    kinds: list[Any] = [*places, rest] if isinstance(rest, dict) else places
    distinct = [kind for index, kind in enumerate(kinds) if kind not in kinds[:index]]
    node["items"] = distinct[0] if len(distinct) == 1 else {"anyOf": distinct}
    if not isinstance(rest, dict):
        node.setdefault("maxItems", len(places))
    if len(distinct) == 1:
        return node
    return _described(node, f"Items in this order: {', '.join(map(_named, places))}.")


def _named(kind: Schema) -> str:
    """What a position holds, in a word."""
    if isinstance(kind.get("title"), str):
        return kind["title"]
    if isinstance(kind.get("$ref"), str):
        return kind["$ref"].rpartition("/")[2]
    if isinstance(kind.get("format"), str):
        return kind["format"]
    return str(kind.get("type", "one of several types"))


def _described(node: Schema, text: str) -> Schema:
    known = node.get("description")
    return {**node, "description": f"{known} {text}" if isinstance(known, str) else text}
