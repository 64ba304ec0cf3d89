"""Halves of surrogate pairs, which JSON can say and UTF-8 cannot: replaced by U+FFFD."""

from __future__ import annotations

from typing import Any, TypeVar, cast

_T = TypeVar("_T")


def is_sound(text: str) -> bool:
    """Whether ``text`` has no half of a surrogate pair, and so can be stored and sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_surrogates(value: _T) -> _T:
    """``value`` of JSON, without halves of surrogate pairs; itself where it has none."""
    if isinstance(value, str):
        return cast("_T", _text(value))
    if isinstance(value, dict):
        return cast("_T", _mapping(cast("dict[Any, Any]", value)))
    if isinstance(value, list):
        return cast("_T", _sequence(cast("list[Any]", value)))
    return value


def _text(value: str) -> str:
    if type(value) is not str:  # A class of a user's, which may answer anything for itself.
        value = str.__str__(value)
    if value.isascii():  # Known without looking at it.
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        # Two halves that belong together become what they mean.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _mapping(value: dict[Any, Any]) -> dict[Any, Any]:
    new = {
        _text(key if isinstance(key, str) else str(key)): without_surrogates(each)
        for key, each in value.items()
    }
    return (
        value if all(map(_is, value.values(), new.values())) and value.keys() == new.keys() else new
    )


def _sequence(value: list[Any]) -> list[Any]:
    new = [without_surrogates(each) for each in value]
    return value if all(map(_is, value, new)) else new


def _is(one: object, other: object) -> bool:
    return one is other
