"""Changing our classes for as long as the spellings are wanted, and changing them back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

_ABSENT: Any = object()


class Patches:
    """What was changed, and what stood there before."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []
        self._replaced: list[tuple[Any, Any]] = []

    @property
    def are_applied(self) -> bool:
        """Whether anything is changed now."""
        return bool(self._before)

    def add(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of a class or a module."""
        self._before.append((owner, name, _own(owner).get(name, _ABSENT)))
        setattr(owner, name, value)

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace a method by what ``make`` makes of it."""
        replacement = make(getattr(owner, name))
        replacement.__wrapped__ = getattr(owner, name)  # Signatures are those of the original.
        self.add(owner, name, replacement)

    def replace(self, function: Any, replacement: Any) -> None:
        """Put ``replacement`` wherever a module of ours has ``function``."""
        self._replaced.append((function, replacement))
        _exchange(function, replacement)

    def undo(self) -> None:
        """Put everything back, the latest change first."""
        while self._before:
            owner, name, value = self._before.pop()
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
        while self._replaced:
            function, replacement = self._replaced.pop()
            _exchange(replacement, function)


def _own(owner: Any) -> dict[str, Any]:
    return {**vars(owner)}


def _exchange(one: Any, other: Any) -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "outlast":
            for key in [key for key, value in vars(module).items() if value is one]:
                setattr(module, key, other)
