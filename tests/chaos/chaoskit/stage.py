"""What scenarios are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from chaoskit.world import World
from outlast import function_tool
from outlast.definitions.context import ToolContext

Outcome = Any
Scenario = Callable[[World], Awaitable[Outcome]]
SCENARIOS: dict[str, Scenario] = {}
"""Those that are killed everywhere."""
SPECIAL: dict[str, Scenario] = {}
"""Those that one test is about."""


def scenario(play: Scenario) -> Scenario:
    """Register a scenario under its function's name."""
    SCENARIOS[play.__name__] = play
    return play


def tool(
    world: World, name: str, *, policy: str = "retry", pause_s: float = 0.0, **options: Any
) -> Any:
    """A tool that leaves a trace in the world, and returns what it was given."""

    async def work(ctx: ToolContext[Any], order: int) -> str:
        world.did(f"tool:{name}:{ctx.tool_call_id}", ctx.idempotency_key)
        await asyncio.sleep(pause_s)
        return f"{name} {order}"

    return function_tool(name_override=name, on_uncertain=policy, **options)(work)


def pages(world: World, words: int) -> Any:
    """A tool that returns a lot."""

    async def fetch(ctx: ToolContext[Any], order: int) -> str:
        world.did(f"tool:fetch:{ctx.tool_call_id}", ctx.idempotency_key)
        return f"{order} " * words

    return function_tool(fetch)


def output_of(result: Any) -> Outcome:
    """What a user sees of a result: the answer, and the conversation behind it."""
    kinds = [f"{item.agent.name}: {item.type}" for item in result.new_items]
    return {"output": str(result.final_output), "items": kinds, "last": result.last_agent.name}
