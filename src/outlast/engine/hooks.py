"""Telling a user's hooks: those of the run and those of the agent at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from outlast.definitions.context import AgentHookContext
from outlast.engine.env import RunEnv


async def tell(*calls: Coroutine[Any, Any, None] | None) -> None:
    """Run the given hook calls concurrently; the first error is raised after all have ended."""
    present = [call for call in calls if call is not None]
    if len(present) == 1:
        await present[0]
    elif present:
        await asyncio.gather(*present)


def hook_context(env: RunEnv) -> AgentHookContext[Any]:
    """What hooks of an agent's start and end are told; it shares usage and approvals."""
    run = env.context
    return AgentHookContext(run.context, run.usage, run.turn_input, run._approvals, run.tool_input)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # shared by design, not public
