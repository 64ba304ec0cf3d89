"""Who may call a tool, who approves its calls, and who adds data to their outputs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypeVar

# Pydantic reads this class when a user's function takes one, and needs this TypedDict for it.
from typing_extensions import TypedDict

from outlast.core.errors import UserError
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.given import check_list

T = TypeVar("T")
ToolCaller = Literal["direct", "programmatic"]
_KNOWN = ("direct", "programmatic")


class OnApprovalFunctionResult(TypedDict):
    """An answer to the question whether a call may go on."""

    approve: bool
    reason: NotRequired[str]


# The item that waits, which the second of these gets to see, is defined above this module.
ApprovalFunction: TypeAlias = Callable[[RunContextWrapper, T, str], Awaitable[bool] | bool]
OnApprovalFunction: TypeAlias = Callable[
    [RunContextWrapper, Any], Awaitable[OnApprovalFunctionResult] | OnApprovalFunctionResult
]
CustomData: TypeAlias = Mapping[str, Any] | None
CustomDataExtractor: TypeAlias = Callable[[T], Awaitable[CustomData] | CustomData]


def check_callers(owner: str, callers: Sequence[str] | None) -> None:
    """Check ``allowed_callers`` of the tool that ``owner`` names.

    Raises:
        UserError: It is empty, has doubles, or has something that is not a caller.
    """
    if callers is None:
        return
    check_list(f"allowed_callers of {owner}", callers)
    known = all(isinstance(caller, str) and caller in _KNOWN for caller in callers)  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
    if not callers or not known or len(set(callers)) != len(callers):
        raise UserError(
            f"allowed_callers of {owner} must name each of 'direct' and 'programmatic' at most "
            f"once, and at least one of them; got {list(callers)!r}."
        )


def may_be_programmatic(callers: Sequence[str] | None) -> bool:
    """Whether programs may call a tool that has these ``allowed_callers``."""
    return isinstance(callers, list | tuple) and "programmatic" in callers
