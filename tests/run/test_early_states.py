"""A state taken while a run is streamed has what was recorded by then, and the turn that it is in."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import pytest

from outlast import Agent, RunConfig, RunContextWrapper, Runner, RunState, UserError, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

CONFIG = RunConfig(journal="memory")
STEPS = [
    [assistant_message("one moment"), function_call("look", {}, call_id="1")],
    [assistant_message("done")],
]
ALL = ["message_output_item", "tool_call_item", "tool_call_output_item", "message_output_item"]

MOMENTS = {
    "before it begins": (0, 0),
    "agent_updated_stream_event": (1, 0),
    "message_output_created": (1, 2),
    "tool_called": (1, 2),
}
"""When a state is taken: its turn, and how many items it has."""


def desk(*steps: Any, needs_approval: bool = False) -> tuple[Agent[Any], list[str]]:
    ran: list[str] = []

    @function_tool(needs_approval=needs_approval)
    async def look() -> str:
        ran.append("look")
        return "seen"

    return Agent(name="desk", model=ScriptedModel([*steps]), tools=[look]), ran


async def state_at(moment: str) -> dict[str, Any]:
    """The state at that moment, as it is stored."""
    agent, _ = desk(*STEPS)
    stream = Runner.run_streamed(agent, "hi", run_config=CONFIG)
    document = stream.to_state().to_json()
    is_found = moment == "before it begins"
    async for event in stream.stream_events():
        if not is_found and moment == getattr(event, "name", event.type):
            document, is_found = stream.to_state().to_json(), True
    assert is_found
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_state_taken_early_goes_on_from_what_was_recorded(moment: str):
    turn, items = MOMENTS[moment]
    document = await state_at(moment)
    kinds = [item["type"] for item in document["generated_items"]]
    assert (document["current_turn"], kinds) == (turn, ALL[:items])
    agent, ran = desk(*(STEPS[1:] if items else STEPS))
    fork = await Runner.run(agent, await RunState.from_json(agent, document), run_config=CONFIG)
    assert [item.type for item in fork.new_items] == ALL
    assert ran == ["look"]  # It had not begun by then.


@pytest.mark.parametrize(("policy", "again"), [("retry", 1), ("once", 0), ("ask", 0)])
async def test_a_call_that_has_begun_is_in_the_state(policy: Any, again: int):
    begun, goes_on = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    @function_tool(on_uncertain=policy)
    async def look() -> str:
        ran.append("look")
        begun.set()
        await goes_on.wait()
        return "seen"

    agent = Agent[Any](name="desk", model=ScriptedModel(STEPS), tools=[look])
    stream = Runner.run_streamed(agent, "hi", run_config=CONFIG)
    reading = asyncio.ensure_future(anext(stream.stream_events()))
    await begun.wait()
    document = stream.to_state().to_json()
    goes_on.set()
    await reading
    assert stream.run_loop_task
    await stream.run_loop_task
    ran.clear()
    other = agent.clone(model=ScriptedModel(STEPS[1:]))
    fork = await Runner.run(other, await RunState.from_json(other, document), run_config=CONFIG)
    assert len(ran) == again
    assert [each.is_in_doubt for each in fork.interruptions] == [True] * (policy == "ask")


async def test_a_state_of_a_given_state_that_has_not_begun_is_another_one():
    agent, _ = desk(*STEPS, needs_approval=True)
    waiting = await Runner.run(agent, "hi", run_config=CONFIG)
    given = waiting.to_state()
    given.approve(waiting.interruptions[0])
    stream = Runner.run_streamed(agent, given, run_config=CONFIG)
    early = stream.to_state()
    assert early is not given
    assert early.to_json()["current_turn"] == 1
    async for _ in stream.stream_events():
        pass
    assert stream.final_output == "done"
    assert stream.to_state().to_json()["current_turn"] == 2


async def test_a_run_that_was_never_begun_is_in_no_turn():
    agent, _ = desk(*STEPS)
    state = RunState[Any](RunContextWrapper(None), "hi", agent)
    assert state.to_json()["current_turn"] == 0
    again = await RunState.from_json(agent, state.to_json())
    assert again.to_json()["current_turn"] == 0


async def test_a_result_without_its_run_says_so():
    agent, _ = desk(*STEPS)
    result = await Runner.run(agent, "hi", run_config=CONFIG)
    apart = pickle.loads(pickle.dumps(result))
    with pytest.raises(UserError, match=r"Call to_state\(\) before that"):
        apart.to_state()
