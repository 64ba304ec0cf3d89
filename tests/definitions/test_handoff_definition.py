"""A handoff is a tool whose call leads to an agent."""

import gc

import pytest
from pydantic import BaseModel

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.handoff import Handoff, handoff, handoff_target

CONTEXT = RunContextWrapper(None)


class Reason(BaseModel):
    text: str
    urgency: int


def test_a_handoff_is_named_and_described_after_its_agent():
    made = handoff(Agent(name="Refund agent", handoff_description="Pays back."))
    assert made.tool_name == "transfer_to_refund_agent"
    assert made.tool_description == (
        "Handoff to the Refund agent agent to handle the request. Pays back."
    )
    assert made.agent_name == "Refund agent"
    assert made.get_transfer_message(Agent(name='a"b')) == '{"assistant": "a\\"b"}'


def test_only_signs_other_than_white_space_are_worth_a_warning(caplog):
    assert Handoff.default_tool_name(Agent(name="a b")) == "transfer_to_a_b"
    assert not caplog.records
    assert Handoff.default_tool_name(Agent(name="a/b")) == "transfer_to_a_b"
    assert "contains invalid characters for function calling" in caplog.text


async def test_calling_it_leads_to_the_agent():
    agent = Agent(name="a")
    told = []
    made = handoff(agent, on_handoff=told.append)
    assert await made.on_invoke_handoff(CONTEXT, "whatever") is agent
    assert told == [CONTEXT]


async def test_its_input_is_parsed_strictly():
    told = []

    async def note(_context, reason):
        told.append(reason)

    made = handoff(Agent(name="a"), on_handoff=note, input_type=Reason)
    await made.on_invoke_handoff(CONTEXT, '{"text": "x", "urgency": 1}')
    assert told == [Reason(text="x", urgency=1)]
    for wrong in ('{"text": "x", "urgency": "1"}', "", "null"):
        with pytest.raises(ModelBehaviorError, match="Invalid JSON") as caught:
            await made.on_invoke_handoff(CONTEXT, wrong)
        assert caught.value.__cause__ is None
    with pytest.raises(ModelBehaviorError, match="non-null"):
        await made.on_invoke_handoff(CONTEXT, None)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"input_type": Reason}, "You must provide on_handoff when input_type is provided"),
        ({"input_type": Reason, "on_handoff": "x"}, "on_handoff must be callable"),
        ({"input_type": Reason, "on_handoff": lambda _a: 0}, "must take two arguments"),
        ({"on_handoff": lambda _a, _b: 0}, "must take one argument"),
    ],
)
def test_a_callback_that_cannot_be_called_is_refused(options, text):
    with pytest.raises(UserError, match=text):
        handoff(Agent(name="a"), **options)


def test_the_schema_of_the_input_is_strict():
    made = handoff(Agent(name="a"), on_handoff=lambda _a, _b: None, input_type=Reason)
    assert made.input_json_schema["additionalProperties"] is False
    assert handoff(Agent(name="a")).input_json_schema["properties"] == {}


def test_a_handoff_knows_its_agent():
    agent = Agent(name="a")
    assert handoff_target(handoff(agent)) is agent
    by_hand = Handoff("t", "d", {}, handoff(agent).on_invoke_handoff, "a")
    assert handoff_target(by_hand) is None
    gc.collect()
