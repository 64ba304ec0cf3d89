"""Arguments that a person has changed fit the tool, or nothing is decided."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, UserError, function_tool
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

DONE = assistant_message("done")


def _desk(done: list[str], depth: int) -> Agent[Any]:
    """An agent whose call waits for a person, so many runs deep."""

    @function_tool(needs_approval=True)
    def cancel(order: str) -> str:
        done.append(order)
        return "cancelled"

    call = function_call("cancel", {"order": "A-1"}, call_id="c1")
    agent = Agent(name="Desk", tools=[cancel], model=ScriptedModel([[call], [DONE]]))
    for _ in range(depth):
        tool = agent.as_tool("ask", "Ask it.")
        asks = function_call("ask", {"input": "cancel A-1"}, call_id="c0")
        agent = Agent(name="Outer", tools=[tool], model=ScriptedModel([[asks], [DONE]]))
    return agent


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ordr": "A-2"}, "ordr: there is no such argument; order: is missing"),
        ('{"order": 7}', "order: expected string, got integer"),
        ({}, "order: is missing"),
    ],
)
async def test_arguments_that_do_not_fit_decide_nothing(depth: int, wrong: Any, said: str):
    done: list[str] = []
    config = RunConfig(journal=MemoryJournal(), tracing_disabled=True)
    agent = _desk(done, depth)
    waiting = await Runner.run(agent, "hi", run_id="r", run_config=config)
    (item,) = waiting.interruptions
    with pytest.raises(UserError) as caught:
        await Runner.approve("r", item.question_id, arguments=wrong, run_config=config)
    for part in (said, "'cancel'", "It takes: order.", "Nothing was decided."):
        assert part in str(caught.value)
    await Runner.approve("r", item.question_id, arguments={"order": "A-2"}, run_config=config)
    result = await Runner.resume("r", agent, run_config=config)
    assert (result.final_output, done) == ("done", ["A-2"])
