"""What a run inside a call has done is not done again because the call is forked, or its run moved."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, RunNotFound, RunState, ToolContext, function_tool
from outlast.journal.memory import MemoryJournal
from outlast.replay import fork
from outlast.testing import ScriptedModel, assistant_message, function_call


class Desk:
    """An agent, at some depth below another, that charges once and may ask for a payment then."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.config = RunConfig(journal=MemoryJournal(), tracing_disabled=True)

    def agent(self, *, asks: bool, depth: int = 1, policy: Any = "once") -> Agent[Any]:
        @function_tool(on_uncertain=policy)
        def charge(ctx: ToolContext[Any]) -> str:
            self.did.append("charge")
            return "charged"

        @function_tool(needs_approval=True)
        def pay() -> str:
            self.did.append("pay")
            return "paid"

        script = [[function_call("charge", {}, call_id="c")], [assistant_message("leaf")]]
        if asks:
            script.insert(1, [function_call("pay", {}, call_id="p")])
        agent = Agent[Any](name="A0", tools=[charge, pay], model=ScriptedModel(script))
        for level in range(depth):
            call = function_call("ask", {"input": "q"}, call_id="c")
            model = ScriptedModel([[call], [assistant_message(f"done {level}")]])
            agent = Agent[Any](name=f"A{level + 1}", tools=[agent.as_tool("ask", "d")], model=model)
        return agent


@pytest.mark.parametrize(
    ("depth", "policy", "did"),
    [(1, "once", 1), (2, "once", 1), (1, "retry", 2), (1, "ask", 1)],
)
async def test_a_fork_at_a_call_that_an_agent_answers_heeds_what_its_run_has_begun(
    depth: int, policy: str, did: int
):
    desk = Desk()
    agent = desk.agent(asks=False, depth=depth, policy=policy)
    await Runner.run(agent, "x", run_id="r", run_config=desk.config)
    made = await fork("r", "t1.c", journal=desk.config.journal)
    again = desk.agent(asks=False, depth=depth, policy=policy)
    result = await Runner.resume(made, again, run_config=desk.config)
    assert desk.did == ["charge"] * did
    assert [item.is_in_doubt for item in result.interruptions] == [True] * (policy == "ask")
    outputs = [item["output"] for item in result.to_input_list() if "output" in item]
    assert ("unknown" in str(outputs)) == (policy == "once")


async def test_a_result_stands_for_what_a_run_inside_the_call_has_begun():
    desk = Desk()
    await Runner.run(desk.agent(asks=False), "x", run_id="r", run_config=desk.config)
    made = await fork("r", "t1.c", result="as told", journal=desk.config.journal)
    result = await Runner.resume(made, desk.agent(asks=False), run_config=desk.config)
    outputs = [item["output"] for item in result.to_input_list() if "output" in item]
    assert (outputs, desk.did) == (["as told"], ["charge"])


async def test_a_fork_of_a_call_whose_run_waits_goes_on_from_there():
    desk = Desk()
    await Runner.run(desk.agent(asks=True), "x", run_id="r", run_config=desk.config)
    made = await fork("r", "t1.c", journal=desk.config.journal)
    waiting = await Runner.resume(made, desk.agent(asks=True), run_config=desk.config)
    for item in waiting.interruptions:
        await Runner.approve(made, item.question_id, run_config=desk.config)
    await Runner.resume(made, desk.agent(asks=True), run_config=desk.config)
    assert desk.did == ["charge", "pay"]


async def test_a_state_does_not_go_on_where_the_run_inside_its_call_is_not():
    desk = Desk()
    agent = desk.agent(asks=True)
    waiting = await Runner.run(agent, "x", run_id="r", run_config=desk.config)
    state = await RunState.from_string(agent, waiting.to_state().to_string())
    state.approve(state.get_interruptions()[0])
    elsewhere = RunConfig(journal=MemoryJournal(), tracing_disabled=True)
    with pytest.raises(RunNotFound, match="which this journal does not hold"):
        await Runner.run(agent, state, run_config=elsewhere)
    assert desk.did == ["charge"]
    await Runner.run(agent, state, run_config=desk.config)
    assert desk.did == ["charge", "pay"]
