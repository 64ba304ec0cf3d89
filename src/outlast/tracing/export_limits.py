"""Cutting exported spans to what OpenAI's trace dashboard takes, and to what is JSON at all.

Nothing here changes what it is given: a part that has to change is copied, the rest is shared.
What is of no JSON type is left out; a text with half a surrogate pair gets a "?" there.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, cast

MAX_FIELD_BYTES = 100_000
CUT = "... [truncated]"

_LIMITED = ("input", "output")
_TOKENS = ("input_tokens", "output_tokens")
_REASONING_KEYS = frozenset({
    "reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks",
})  # fmt: skip
_REASONING_PARTS = ("thinking", "redacted_thinking", "reasoning")
_NOTHING: Any = object()


def fitted(exported: dict[str, Any]) -> dict[str, Any]:
    """An exported trace or span as OpenAI takes it; the same object if nothing has to change."""
    if exported.get("object") != "trace.span" or not isinstance(exported.get("span_data"), dict):
        return exported
    given = cast("dict[str, Any]", exported["span_data"])
    data = dict(given)
    is_generation = data.get("type") == "generation"
    for field in _LIMITED:
        if field in data:
            value = _without_reasoning(data[field]) if is_generation else data[field]
            data[field] = _limited(value)
    if data.get("usage") is not None:
        usage = _billed(data["usage"]) if is_generation else None
        if usage is None:
            del data["usage"]
        else:
            data["usage"] = usage
    is_same = data.keys() == given.keys() and all(data[key] is given[key] for key in data)
    return exported if is_same else {**exported, "span_data": data}


def sendable(value: dict[str, Any]) -> dict[str, Any]:
    """``value`` if it is JSON, or what is JSON of it."""
    return value if json_size(value) is not None else _cleaned(value, ())


def json_size(value: object) -> int | None:
    """The bytes that ``value`` takes as JSON; None if it is none."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return len(text.encode())
    except (TypeError, ValueError, RecursionError):
        return None


def preview(value: object) -> dict[str, Any]:
    """What stands for a value that cannot be shown."""
    kind = type(value).__name__
    size = f" bytes={len(value)}" if isinstance(value, bytes | bytearray) else ""
    return {"truncated": True, "original_type": kind, "preview": f"<{kind}{size} truncated>"}


# --- What models were told and answered. -------------------------------------------------


def _without_reasoning(messages: Any) -> Any:
    """Messages without the model's reasoning, which is nobody else's."""
    if not _is_list(messages):
        return messages
    kept = [_silent(message) for message in messages if not _is_of_type(message, "reasoning")]
    return messages if kept == list(messages) else kept


def _silent(message: object) -> Any:
    if not isinstance(message, Mapping):
        return message
    message = cast("Mapping[str, Any]", message)
    if message.get("object") == "response" and "output" in message:  # what a stream ends with
        return {**message, "output": _without_reasoning(message["output"])}
    if message.get("role") != "assistant":
        return message
    kept = {key: value for key, value in message.items() if key not in _REASONING_KEYS}
    content: Any = kept.get("content")
    if _is_list(content):
        kept["content"] = [part for part in content if not _is_of_type(part, *_REASONING_PARTS)]
    return kept


def _is_of_type(part: object, *types: str) -> bool:
    return isinstance(part, Mapping) and cast("Any", part).get("type") in types


def _billed(usage: object) -> dict[str, Any] | None:
    """Usage as two counts and the rest as details; None without both counts."""
    if not isinstance(usage, dict):
        return None
    given = cast("dict[str, Any]", usage)
    if not all(_is_count(given.get(name)) for name in _TOKENS):
        return None
    inner = given.get("details")
    details: dict[Any, Any] = cast("dict[Any, Any]", inner) if isinstance(inner, dict) else {}
    others = {key: value for key, value in given.items() if key not in (*_TOKENS, "details")}
    cleaned = _cleaned({**details, **others}, ())
    billed = {name: given[name] for name in _TOKENS} | ({"details": cleaned} if cleaned else {})
    return given if billed == given else billed


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# --- What is JSON. -----------------------------------------------------------------------


def _cleaned(value: Any, around: tuple[int, ...]) -> Any:
    """What is JSON of ``value``; `_NOTHING` if that is nothing. ``around`` are its containers."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else _NOTHING
        case str():
            return value.encode("utf-8", "replace").decode()
        case _ if id(value) in around:
            return _NOTHING
        case Mapping():
            pairs, inside = cast("Mapping[Any, Any]", value), (*around, id(cast("Any", value)))
            both = [(_key(key), _cleaned(item, inside)) for key, item in pairs.items()]
            return {key: item for key, item in both if _NOTHING not in (key, item)}
        case _ if _is_list(value):
            items = [_cleaned(item, (*around, id(value))) for item in value]
            return [item for item in items if item is not _NOTHING]
        case _:
            return _NOTHING


def _key(key: object) -> Any:
    """A key as JSON writes it."""
    if isinstance(key, str):
        return key.encode("utf-8", "replace").decode()
    if key is None or isinstance(key, bool | int | float):
        return _NOTHING if json_size(key) is None else json.dumps(key)
    return _NOTHING


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


# --- What is small enough. ---------------------------------------------------------------


def _limited(value: object) -> Any:
    size = json_size(value)
    if size is not None and size <= MAX_FIELD_BYTES:
        return value
    if size is None:
        whole = value
        value = _cleaned(value, ())
        if value is _NOTHING:
            return preview(whole)
    return cut(value, MAX_FIELD_BYTES)


def cut(value: Any, limit: int) -> Any:
    """``value`` in at most ``limit`` bytes of JSON, in its own shape.

    The largest members of a mapping are cut first; of a list, the last members are kept.
    """
    if _size(value) <= limit:
        return value
    if isinstance(value, str):
        return cut_text(value, limit)
    if isinstance(value, Mapping):
        return _cut_mapping(cast("Mapping[str, Any]", value), limit)
    if _is_list(value):
        return _cut_list(value, limit)
    return None


def cut_text(text: str, limit: int) -> str:
    """``text``, or its beginning and `CUT`, in at most ``limit`` bytes of JSON."""
    if _size(text) <= limit:
        return text
    left = limit - _size(CUT)
    if left < 0:
        return ""
    lengths = range(min(len(text), left) + 1)
    too_long = bisect_right(lengths, left, key=lambda length: _size(text[:length]) - 2)
    return text[: too_long - 1] + CUT


def _cut_mapping(value: Mapping[str, Any], limit: int) -> dict[str, Any]:
    # A key takes its text, a colon, a comma, and at least two bytes for what is left of a value.
    least = {key: _size(key) + 4 for key in value}
    total, dropped = sum(least.values()) + 1, set[str]()
    for key in value:
        if total <= limit:
            break
        total -= least[key]
        dropped.add(key)
    kept = [key for key in value if key not in dropped]
    left = limit - total + 2 * len(kept)
    result = {key: value[key] for key in kept}
    # The smallest first: what they leave of their share is for the larger ones.
    by_size = sorted((_size(value[key]), index) for index, key in enumerate(kept))
    for done, (size, index) in enumerate(by_size):
        share = max(0, left) // (len(kept) - done)
        if size > share:
            result[kept[index]] = cut(value[kept[index]], share)
            size = _size(result[kept[index]])  # noqa: PLW2901  # what it takes now
        left -= size
    return result


def _cut_list(value: Sequence[Any], limit: int) -> list[Any]:
    left, kept = limit - 1, list[Any]()
    for item in reversed(value):
        room = left - 1
        if room < 2:  # noqa: PLR2004  # the least that anything takes: "", {} and []
            break
        smaller = cut(item, room)
        left = room - _size(smaller)
        kept.append(smaller)
        if smaller is not item:
            break
    return kept[::-1]


def _size(value: object) -> int:
    size = json_size(value)
    assert size is not None, "only cleaned values are cut"
    return size
