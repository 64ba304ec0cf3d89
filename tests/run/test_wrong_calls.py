"""Calls that go wrong are the model's to mend: handoffs as well as tools, and no failure is an answer."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from outlast import Agent, RunConfig, Runner, function_tool, handoff
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

OFF = RunConfig(journal=MemoryJournal())


class Reason(BaseModel):
    reason: str


@pytest.mark.parametrize("wrong", [{}, {"reason": 7}])
async def test_a_handoff_with_wrong_arguments_is_told_which_field(wrong: dict[str, Any]):
    clerk = Agent(name="Clerk", model=ScriptedModel([[assistant_message("hello")]]))
    model = ScriptedModel(
        [
            [function_call("transfer_to_clerk", wrong, call_id="1")],
            [function_call("transfer_to_clerk", {"reason": "refund"}, call_id="2")],
        ]
    )
    passed_on = handoff(clerk, on_handoff=lambda _, reason: None, input_type=Reason)
    desk = Agent(name="Desk", handoffs=[passed_on], model=model)
    result = await Runner.run(desk, "hi", run_config=OFF)
    assert result.final_output == "hello"
    told = str(model.calls[1].input[-1]["output"])
    assert "reason:" in told
    assert result.last_agent.name == "Clerk"


@pytest.mark.parametrize("behavior", ["stop_on_first_tool", {"stop_at_tool_names": ["price"]}])
async def test_a_tool_that_failed_does_not_end_the_run(behavior: Any):
    @function_tool
    def price(article: str) -> str:
        raise ConnectionError(article)

    steps = [
        [function_call("price", {"article": "chair"}, call_id="1")],
        [assistant_message("I cannot say.")],
    ]
    agent = Agent(name="A", tools=[price], tool_use_behavior=behavior, model=ScriptedModel(steps))
    assert (await Runner.run(agent, "price?", run_config=OFF)).final_output == "I cannot say."
