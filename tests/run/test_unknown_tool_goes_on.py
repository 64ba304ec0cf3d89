"""A run that failed of a tool that there is not goes on: the model is told so, and asked again."""

import pytest

from outlast import Agent, ModelBehaviorError, RunConfig, Runner, function_tool
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


@function_tool
def look(order: int) -> str:
    """Look."""
    return f"order {order}"


async def test_a_run_that_failed_of_an_unknown_tool_goes_on_and_the_model_is_told():
    called = [
        function_call("nope", {"x": 1}, call_id="n"),
        function_call("look", {"order": 1}, call_id="l"),
    ]
    model = ScriptedModel([called, [assistant_message("sorry")]])
    agent, config = Agent(name="A", tools=[look], model=model), RunConfig(journal=MemoryJournal())
    with pytest.raises(ModelBehaviorError, match="Tool nope not found"):
        await Runner.run(agent, "hi", run_config=config, run_id="r")
    with pytest.raises(ModelBehaviorError, match="Tool nope not found"):
        await Runner.run(
            agent, "hi", run_config=config, run_id="r"
        )  # Says again what it failed of.
    result = await Runner.resume("r", agent, run_config=config)
    assert result.final_output == "sorry"
    outputs = {
        item["call_id"]: item["output"] for item in result.to_input_list() if "output" in item
    }
    assert "not found" in outputs["n"]
    assert outputs["l"] == "order 1"


async def test_each_further_unknown_tool_fails_the_run_again():
    model = ScriptedModel(
        [
            [function_call("nope", {}, call_id="a")],
            [function_call("no", {}, call_id="b")],
            [assistant_message("ok")],
        ]
    )
    agent, config = Agent(name="A", tools=[look], model=model), RunConfig(journal=MemoryJournal())
    for name in ("nope", "no"):
        with pytest.raises(ModelBehaviorError, match=f"Tool {name} not found"):
            await (
                Runner.run(agent, "hi", run_config=config, run_id="r")
                if name == "nope"
                else Runner.resume("r", agent, run_config=config)
            )
    assert (await Runner.resume("r", agent, run_config=config)).final_output == "ok"
