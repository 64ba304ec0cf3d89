"""What a call costs does not grow with the number of calls beside it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from outlast import Agent, ModelLimits, RunConfig, Runner, function_tool
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


async def functions_entered(count: int, *, one_by_one: bool, approved: bool = False) -> float:
    """How many functions a run of so many calls in one reply enters, for each of them."""
    turns = [asyncio.Event() for _ in range(count + 1)]
    turns[0].set()

    async def look(number: int) -> str:
        if one_by_one:
            await turns[number].wait()
            turns[number + 1].set()
        return "seen"

    tool = function_tool(look, needs_approval=approved)
    calls: list[Any] = [function_call("look", {"number": n}, call_id=f"c{n}") for n in range(count)]
    model = ScriptedModel([calls, [assistant_message("done")]])
    agent = Agent[Any](name="desk", tools=[tool], model=model)
    limits = ModelLimits(tool_calls=count)
    config = RunConfig(journal=MemoryJournal(), model_limits=limits)
    entered = 0

    def count_one(_: Any, kind: str, __: Any) -> None:
        nonlocal entered
        entered += kind == "call"

    before = sys.getprofile()
    sys.setprofile(count_one)
    try:
        result = await Runner.run(agent, "go", run_config=config)
        if approved:
            state = result.to_state()
            for each in result.interruptions:
                state.approve(each)
            await Runner.run(agent, state, run_config=config)
    finally:
        sys.setprofile(before)
    return entered / count


@pytest.mark.parametrize(
    "way", [{"one_by_one": False}, {"one_by_one": True}, {"one_by_one": True, "approved": True}]
)
async def test_a_call_costs_the_same_beside_many_as_beside_few(way: Any):
    await functions_entered(10, **way)  # What is made once is made.
    few = await functions_entered(50, **way)
    many = await functions_entered(400, **way)
    assert many < 1.2 * few, (few, many)
