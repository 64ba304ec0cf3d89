"""Telling a user's hooks: those of the run and those of the agent at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

from outlast.definitions.context import AgentHookContext, approvals_of
from outlast.definitions.enabled import gathered
from outlast.effects.view import RunParts

Calls = list[Coroutine[Any, Any, None]]
TELL: ContextVar[Callable[[Calls], Awaitable[None]] | None] = ContextVar(
    "outlast_tell", default=None
)
"""Who runs the calls of hooks, where that is not the loop that performs the effect."""


async def tell(*calls: Coroutine[Any, Any, None] | None) -> None:
    """Run the given hook calls at the same time, each with context variables of its own.

    The first error is raised, and the other call is cancelled and has ended by then.
    """
    present = [call for call in calls if call is not None]
    if present and (elsewhere := TELL.get()) is not None:
        await elsewhere(present)
    elif present:
        await gathered(*present)


def hook_context(view: RunParts) -> AgentHookContext[Any]:
    """What hooks of an agent's start and end are told; it shares usage and approvals."""
    run = view.context
    approvals = approvals_of(run)
    return AgentHookContext(run.context, run.usage, run.turn_input, approvals, run.tool_input)
