"""Settings that are one of a few words."""

from __future__ import annotations

import typing

from outlast.core.errors import WrongValue


def check_choice(name: str, value: object, choices: object, *, may_be_none: bool = False) -> None:
    """Refuse a value that is none of the words of ``choices``, a `Literal`.

    Raises:
        ValueError: It is something else; a word mistyped here would do harm only much later.
    """
    allowed = typing.get_args(choices)
    if (value is None and may_be_none) or (isinstance(value, str) and value in allowed):
        return
    words = [repr(one) for one in allowed]
    listed = f"either {' or '.join(words)}" if len(words) == 2 else f"one of {', '.join(words)}"  # noqa: PLR2004
    raise WrongValue(f"{name} must be {listed}, got {value!r}.")
