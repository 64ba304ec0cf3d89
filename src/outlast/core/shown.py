"""The text of what user code answered, whatever that is."""

from __future__ import annotations

import inspect
from typing import Any, cast


def shown(value: object) -> str:
    """The text of ``value``; of what has none, one that says what it was.

    Numbers may be too long for a text, lists too deep, and `__str__` is user code. What is still to
    be worked off has a text that says nothing but where it lies in memory.
    """
    kind: type = type(value)
    try:
        if inspect.isgenerator(value) or inspect.isasyncgen(value) or inspect.iscoroutine(value):
            return _without_text(value)
        return str(value)
    except Exception:  # noqa: BLE001  # user code may raise anything
        return str.__str__(cast("str", value)) if issubclass(kind, str) else _without_text(value)


def tame(value: object) -> Any:
    """``value``, or its text where it cannot even be asked what it is: that is user code, too."""
    try:
        inspect.isawaitable(value)
    except Exception:  # noqa: BLE001  # user code may raise anything
        return shown(value)
    return value


def class_name(value: object) -> str:
    """The name of a value's class, whatever its metaclass says about it."""
    return type.__dict__["__name__"].__get__(type(value))


def _without_text(value: object) -> str:
    return f"A value of type {class_name(value)}, which cannot be shown as text."
