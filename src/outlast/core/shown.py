"""The text of what user code answered, whatever that is."""

from __future__ import annotations

import inspect
from typing import Any


def shown(value: Any) -> str:
    """The text of ``value``; of what has none, one that says what it was.

    Numbers may be too long for a text, lists too deep, and `__str__` is user code. What is still to
    be worked off has a text that says nothing but where it lies in memory.
    """
    if inspect.isgenerator(value) or inspect.isasyncgen(value) or inspect.iscoroutine(value):
        return _without_text(value)
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # user code may raise anything
        return _without_text(value)


def _without_text(value: Any) -> str:
    return f"A value of type {type(value).__name__}, which cannot be shown as text."
