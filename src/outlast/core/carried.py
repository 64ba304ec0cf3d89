"""Errors in copies and in other processes: pools and task queues carry them there with `pickle`."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

E = TypeVar("E", bound=Exception)


def made_again(kind: type[E], args: tuple[Any, ...], attributes: dict[str, Any]) -> E:
    """An error with these arguments and attributes; whatever its class asks for to make one."""
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    return error


def carried(error: Exception) -> tuple[Any, ...]:
    """How `pickle` carries ``error``: what of it cannot go along, such as a run's agents, is None there.

    One of a class that is made while a program runs arrives as one of the class that this is made of.
    """
    kind = next(each for each in type(error).__mro__ if _goes_along(each))
    attributes = {
        name: value if _goes_along(value) else None for name, value in vars(error).items()
    }
    return made_again, (kind, error.args, attributes)


def copied(error: E, memo: dict[int, Any] | None = None) -> E:
    """A copy with the same attributes, or with copies of them where there is a ``memo``."""
    attributes = vars(error) if memo is None else copy.deepcopy(vars(error), memo)
    return made_again(type(error), error.args, attributes)


def _goes_along(value: object) -> bool:
    import pickle  # only who sends errors away needs it

    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001  # each kind of object has its own way to refuse
        return False
    return True
