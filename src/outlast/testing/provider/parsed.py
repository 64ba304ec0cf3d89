"""Parsed JSON of unknown form, looked at as what it should be."""

from __future__ import annotations

from typing import Any, cast

Wire = dict[str, Any]
GONE = object()
"""In place of a value: the field is left out."""


def as_object(value: Any) -> Wire:
    """``value`` if it is an object, else an empty one."""
    return cast("Wire", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """``value`` if it is a list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def objects_in(value: Any) -> list[Wire]:
    """The objects in ``value``, if that is a list."""
    return [as_object(each) for each in as_list(value) if isinstance(each, dict)]


def changed(value: Any, **fields: Any) -> Wire:
    """The object ``value`` with other ``fields``; without those that are `GONE`."""
    return {name: each for name, each in {**value, **fields}.items() if each is not GONE}
