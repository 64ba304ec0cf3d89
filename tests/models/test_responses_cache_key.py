"""The key under which OpenAI's own endpoint keeps the beginning of a conversation at hand."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from outlast import (
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesWSModel,
    RunConfig,
    Runner,
    SQLiteSession,
)

REPLY = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-5",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


http: Any = __import__(openai.DefaultAsyncHttpxClient.__mro__[1].__module__.split(".")[0])
"""The HTTP library that the installed `openai` uses."""


async def keys(base_url: str, *, runs: int = 1, settings: Any = None, **options: Any) -> list[Any]:
    """The keys of some runs, as they are sent to ``base_url``."""
    sent: list[Any] = []

    def answer(request: Any) -> Any:
        sent.append(json.loads(request.content).get("prompt_cache_key"))
        return http.Response(200, json=REPLY)

    transport = http.MockTransport(answer)
    async with http.AsyncClient(transport=transport) as inner:
        client = AsyncOpenAI(api_key="k", base_url=base_url, http_client=inner)
        model = OpenAIResponsesModel("gpt-5", client)
        agent = Agent("Clerk", model=model, model_settings=settings or ModelSettings())
        config = options.pop("config", {})
        for _ in range(runs):
            settings_of_run = RunConfig(journal="memory", **config)
            await Runner.run(agent, "Hello", run_config=settings_of_run, **options)
    return sent


OFFICIAL = "https://api.openai.com/v1"


async def test_runs_have_keys_of_their_own() -> None:
    one, other = await keys(OFFICIAL, runs=2)
    assert one.startswith("agents-sdk:run:")
    assert one != other


async def test_runs_of_one_group_share_a_key_that_does_not_tell_its_name() -> None:
    one, other = await keys(OFFICIAL, runs=2, config={"group_id": "patient-17"})
    assert one == other
    assert one.startswith("agents-sdk:group:")
    assert "patient" not in one


async def test_a_conversation_comes_before_a_session_and_a_session_before_a_group() -> None:
    group = {"config": {"group_id": "g"}}
    [key] = await keys(OFFICIAL, conversation_id="conv_1", **group)
    assert key.startswith("agents-sdk:conversation:")
    group = {"config": {"group_id": "g"}}
    [key] = await keys(OFFICIAL, session=SQLiteSession("s"), **group)
    assert key.startswith("agents-sdk:session:")


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(extra_args={"prompt_cache_key": "mine"}),
        ModelSettings(extra_body={"prompt_cache_key": "mine"}),
    ],
)
async def test_a_key_of_the_callers_own_stays(settings: ModelSettings) -> None:
    assert await keys(OFFICIAL, settings=settings) == ["mine"]


async def test_other_endpoints_get_none() -> None:
    assert await keys("https://models.example.test/v1") == [None]


@pytest.mark.parametrize(
    ("address", "takes_one"),
    [({}, True), ({"websocket_base_url": "wss://proxy.example.test/v1"}, False)],
)
def test_a_websocket_takes_one_where_it_goes_to_openai(address: Any, takes_one: bool) -> None:
    client = AsyncOpenAI(api_key="k", base_url=OFFICIAL, **address)
    model = OpenAIResponsesWSModel("gpt-5", client)
    assert model._supports_default_prompt_cache_key() is takes_one
