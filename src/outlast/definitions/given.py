"""Checks of what a caller gives, where it is given: of which type it is, and in which range."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from outlast.core.errors import UserError, WrongType, WrongValue
from outlast.core.shown import shown


def check_number(
    name: str,
    value: object,
    *,
    least: float = 0,
    most: float = math.inf,
    above: bool = False,
    whole: bool = False,
) -> None:
    """Refuse what is no number of at least ``least``, or none above it, or more than ``most``.

    Raises:
        WrongType: It is no number, or no whole one.
        WrongValue: It is too small or too big, or not a number at all (NaN).
    """
    kinds: Any = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds):
        kind = "whole number" if whole else "number"
        raise WrongType(f"{name} must be a {kind}, got {value!r:.40}.")
    number: float = value  # pyright: ignore[reportAssignmentType]  # one of the two
    if not (number > least or (number == least and not above)):
        bound = f"above {least:g}" if above else f"{least:g} or more"
        raise WrongValue(f"{name} must be {bound}, got {value!r:.40}.")
    if number > most:
        raise WrongValue(f"{name} must be at most {most:g}, got {value!r:.40}.")


def check_names(name: str, value: object) -> None:
    """Refuse what is no list of texts; a text alone would be read letter by letter.

    Raises:
        WrongType: It is something else.
    """
    is_list = isinstance(value, list | tuple | set | frozenset)
    if not is_list or not all(isinstance(each, str) for each in cast("list[object]", value)):
        raise WrongType(f"{name} must be a list of texts, got {value!r:.40}.")


def names_of(name: str, value: Iterable[str], known: Collection[str] = ()) -> tuple[str, ...]:
    """The texts of a list or of anything like one; a text alone would be read letter by letter.

    Args:
        name: The setting's, for the error.
        value: What stands there.
        known: What the texts may be; empty for anything.

    Raises:
        WrongType: It is something else.
        UserError: One of them is none of ``known``.
    """
    given: Any = value
    is_one = isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable)
    names: tuple[Any, ...] = () if is_one else tuple(cast("Iterable[Any]", given))
    if is_one or not all(isinstance(each, str) for each in names):
        raise WrongType(f"{name} must be a list of texts, got {shown(value)[:60]!r}.")
    if wrong := [each for each in names if known and each not in known]:
        raise UserError(f"{name} has {wrong[0]!r:.40}. Known are {', '.join(sorted(known))}.")
    return names


def check_text(name: str, value: object, *, may_be_none: bool = True) -> None:
    """Refuse what is neither a text nor, where that may be, None.

    Raises:
        WrongType: It is something else.
    """
    if not isinstance(value, str) and not (value is None and may_be_none):
        or_none = " or None" if may_be_none else ""
        raise WrongType(f"{name} must be a text{or_none}, got {_kind(value)}.")


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False.

    Raises:
        WrongType: It is something else.
    """
    if not isinstance(value, bool):
        raise WrongType(f"{name} must be True or False, got {_kind(value)}.")


def check_function(name: str, value: object) -> None:
    """Refuse what is neither a function nor None.

    Raises:
        WrongType: It is something else.
    """
    if value is not None and not callable(value):
        raise WrongType(f"{name} must be a function or None, got {_kind(value)}.")


def check_switch(name: str, value: object) -> None:
    """Refuse what is neither True, False nor a function that says which of the two.

    Raises:
        WrongType: It is something else; whether None would be on or off nobody can know.
    """
    if not isinstance(value, bool) and not callable(value):
        raise WrongType(
            f"{name} must be True, False or a function of context and agent, got {_kind(value)}."
        )


def check_list(name: str, value: object) -> None:
    """Refuse what is neither a list (or tuple) nor None.

    Raises:
        WrongType: It is something else.
    """
    if value is not None and not isinstance(value, list | tuple):
        raise WrongType(f"{name} must be a list or None, got {_kind(value)}.")


def check_model(name: str, value: object) -> None:
    """Refuse what is no name of a model, no model, and not None.

    Raises:
        WrongType: It is something else.
    """
    if value is None or isinstance(value, str) or hasattr(value, "get_response"):
        return
    raise WrongType(f"{name} must be the name of a model, a Model or None, got {_kind(value)}.")


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__
