"""A model that gets the arguments of a handoff wrong is told so, and the run goes on."""

from typing import Any

import pytest
from pydantic import BaseModel

from outlast import Agent, ModelBehaviorError, RunConfig, RunContextWrapper, Runner, handoff
from outlast.testing import ScriptedModel, assistant_message, function_call

OFF = RunConfig(journal="off")


class Reason(BaseModel):
    reason: str
    amount: int = 0


def desk_of(arguments: list[Any], heard: list[Reason]) -> tuple[Agent[Any], ScriptedModel]:
    def note(context: RunContextWrapper[Any], reason: Reason) -> None:
        heard.append(reason)

    clerk = Agent(name="Clerk", model=ScriptedModel([[assistant_message("hello")]]))
    script = [
        [function_call("transfer_to_clerk", each, call_id=f"c{index}")]
        for index, each in enumerate(arguments)
    ]
    model = ScriptedModel(script)
    passed_on = handoff(clerk, on_handoff=note, input_type=Reason)
    return Agent(name="Desk", handoffs=[passed_on], model=model), model


WRONG: dict[str, tuple[Any, str]] = {
    "missing": ({}, "reason: is missing"),
    "no arguments": ("", "reason: is missing"),
    "another type": ({"reason": "refund", "amount": "sk-secret"}, "amount: expected"),
    "no JSON": ("{'reason'", "not JSON"),
    "a list": ("[1]", "got a list of 1"),
}


@pytest.mark.parametrize("kind", WRONG)
async def test_the_model_hears_what_was_wrong_and_hands_off_again(kind: str):
    wrong, why = WRONG[kind]
    heard: list[Reason] = []
    desk, model = desk_of([wrong, {"reason": "refund"}], heard)
    result = await Runner.run(desk, "hi", run_config=OFF)
    assert result.final_output == "hello"
    assert heard == [Reason(reason="refund")]
    items: list[Any] = list(result.to_input_list())
    told = [str(item["output"]) for item in items if item.get("type") == "function_call_output"]
    assert len(told) == 2
    assert why in told[0]
    assert "sk-secret" not in told[0]
    assert len(model.calls) == 2


async def test_an_error_of_the_callback_is_no_word_about_the_arguments():
    def refuse(context: RunContextWrapper[Any]) -> None:
        raise ModelBehaviorError("no transfers today")

    clerk = Agent(name="Clerk", model=ScriptedModel([[assistant_message("hello")]]))
    model = ScriptedModel([[function_call("transfer_to_clerk", {}, call_id="1")]])
    desk = Agent(name="Desk", handoffs=[handoff(clerk, on_handoff=refuse)], model=model)
    with pytest.raises(ModelBehaviorError, match="no transfers today"):
        await Runner.run(desk, "hi", run_config=OFF)
