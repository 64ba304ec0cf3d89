"""Who may call a tool: the model itself, or a program that the model wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from holdfast.core.errors import UserError

ToolCaller = Literal["direct", "programmatic"]
_KNOWN = ("direct", "programmatic")


def check_callers(owner: str, callers: Sequence[str] | None) -> None:
    """Check ``allowed_callers`` of the tool that ``owner`` names.

    Raises:
        UserError: It is empty, has doubles, or has something that is not a caller.
    """
    if callers is None:
        return
    known = all(caller in _KNOWN for caller in callers)
    if not callers or not known or len(set(callers)) != len(callers):
        raise UserError(
            f"allowed_callers of {owner} must name each of 'direct' and 'programmatic' at most "
            f"once, and at least one of them; got {list(callers)!r}."
        )


def may_be_programmatic(callers: Sequence[str] | None) -> bool:
    """Whether programs may call a tool that has these ``allowed_callers``."""
    return callers is not None and "programmatic" in callers
