"""A long conversation costs no time in the client, and nobody sees another request for it."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.responses import AsyncResponses
from openai.types.responses import ResponseOutputText

from outlast import Agent, OpenAIResponsesModel, Runner
from outlast.models.untouched import untouched
from outlast.testing import ScriptedModel, assistant_message
from outlast.testing.provider import ScriptedProvider

ITEMS: list[Any] = [
    {"role": "user", "content": [{"type": "input_text", "text": "Grüße, 日本"}]},
    {"type": "function_call", "call_id": "c", "name": "look", "arguments": '{"n": 1.5}'},
    {"type": "function_call_output", "call_id": "c", "output": "true"},
]
NOT_JSON: list[Any] = [
    {"role": "assistant", "content": [ResponseOutputText(annotations=[], text="hi", type="output_text")]},
    {"role": "user", "content": ({"type": "input_text", "text": "a tuple"},)},
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_sent_is_what_was_given(streamed: bool):
    served = ScriptedProvider(model=ScriptedModel([[assistant_message("done")]]))
    async with served:
        model = OpenAIResponsesModel("gpt-4.1", served.client(max_retries=0))
        agent = Agent(name="clerk", model=model)
        if streamed:
            result = Runner.run_streamed(agent, ITEMS)
            async for _ in result.stream_events():
                pass
        else:
            await Runner.run(agent, ITEMS)
        assert served.requests[0].body["input"] == ITEMS


async def test_items_are_not_looked_at_one_by_one():
    async with AsyncOpenAI(api_key="none") as client:
        assert untouched(client.responses, {"input": ITEMS})["input"] == tuple(ITEMS)


@pytest.mark.parametrize("items", [[each] for each in NOT_JSON])
async def test_items_that_are_no_json_are_left_to_the_client(items: list[Any]):
    async with AsyncOpenAI(api_key="none") as client:
        assert untouched(client.responses, {"input": items})["input"] is items


class Watched(AsyncResponses):
    async def create(self, **kwargs: Any) -> Any:
        """Somebody's own."""


async def test_whoever_watches_the_client_sees_a_list():
    async with AsyncOpenAI(api_key="none") as client:
        client.responses.create = Watched(client).create
        for responses in (client.responses, Watched(client)):
            assert untouched(responses, {"input": ITEMS})["input"] is ITEMS
