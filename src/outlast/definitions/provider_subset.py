"""Keywords that pydantic writes for Python's types and OpenAI refuses in a strict schema.

A request with one of them is refused whole, with every tool that is in it. What they say is checked
when the arguments come, and a model that gets it wrong is told so; here it becomes words.
"""

from __future__ import annotations

from typing import Any, cast

Schema = dict[str, Any]

_FORMATS = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
})  # fmt: skip
_LOOKAROUNDS = ("(?=", "(?!", "(?<=", "(?<!")


def in_subset(node: Schema) -> Schema:
    """``node`` without what OpenAI refuses. What is below it stays as it is."""
    node = _with_items(node)
    if node.get("uniqueItems") is True:
        del node["uniqueItems"]  # A set is made of the items, whatever came twice.
    if isinstance(node.get("format"), str) and node["format"] not in _FORMATS:
        node = _described(node, f"Format: {node.pop('format')}.")
    pattern = node.get("pattern")
    if isinstance(pattern, str) and any(each in pattern for each in _LOOKAROUNDS):
        del node["pattern"]
    return node


def _with_items(node: Schema) -> Schema:
    """A tuple as a list: OpenAI wants `items`, and does not know `prefixItems`."""
    if node.get("type") == "array" and node.get("maxItems") == 0:
        return {**node, "items": node.get("items") or {"type": "string"}}  # An empty tuple.
    positions: Any = node.get("prefixItems")
    rest: Any = node.get("items")
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
