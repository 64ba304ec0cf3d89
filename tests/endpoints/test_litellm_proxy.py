"""Runs on LiteLLM's proxy, over both of the APIs it has, plainly and through other libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from pydantic import BaseModel

from outlast import Agent, ModelBehaviorError, ModelSettings, function_tool
from outlast.core.errors import ModelRateLimited, ModelRequestError

pytestmark = [
    pytest.mark.endpoints,
    # LiteLLM and any-llm use what others have deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SENTENCE = "Rain is water that falls: drop by drop, and then all at once."


# A stream over the Responses API has errors among its events, and no mock responses.
BY_CHAT = pytest.mark.parametrize("way", ["chat", "litellm", "any-llm chat"], indirect=True)
BY_RESPONSES = pytest.mark.parametrize("way", ["responses", "any-llm responses"], indirect=True)
# Whoever is not OpenAI says what a stream took only if it is asked.
SETTINGS = ModelSettings(include_usage=True)


class Weather(BaseModel):
    city: str
    degrees: int


@function_tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """Tell the weather of a city."""
    return f"Snow in {city}."


async def test_a_text_is_the_final_output_and_its_tokens_are_counted(litellm_proxy, way, play):
    await expect_the_sentence(litellm_proxy, way, play, "scripted")


@BY_CHAT
async def test_a_mock_response_is_like_any_other(litellm_proxy, way, play):
    await expect_the_sentence(litellm_proxy, way, play, "talks")


async def expect_the_sentence(litellm_proxy, way, play, name):
    agent = Agent("talker", model=way(litellm_proxy, name), model_settings=SETTINGS)

    outcome = await play(agent)

    assert outcome.result.final_output == SENTENCE
    assert outcome.deltas in (None, SENTENCE)
    usage = outcome.result.context_wrapper.usage
    assert usage.requests == 1
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0


async def test_a_tool_is_run_and_its_result_is_answered(litellm_proxy, way, play):
    agent = Agent(
        "clerk", model=way(litellm_proxy, "scripted"), tools=[weather], model_settings=SETTINGS
    )

    outcome = await play(agent)

    assert outcome.result.final_output == "I was told: Snow in Oslo."
    assert outcome.deltas in (None, "I was told: Snow in Oslo.")
    usage = outcome.result.context_wrapper.usage
    assert (usage.requests, usage.total_tokens) == (2, 36)


async def test_a_form_is_an_object_of_the_output_type(litellm_proxy, way, play):
    agent = Agent("clerk", model=way(litellm_proxy, "scripted"), output_type=Weather)

    outcome = await play(agent)

    assert outcome.result.final_output == Weather(city="Oslo", degrees=-3)


async def test_a_broken_form_is_the_models_misbehaviour(litellm_proxy, way, play):
    agent = Agent("clerk", model=way(litellm_proxy, "careless"), output_type=Weather)

    with pytest.raises(ModelBehaviorError):
        await play(agent)


async def test_a_handoff_with_a_tool_and_a_form_after_it_goes_to_the_end(litellm_proxy, way, play):
    model = way(litellm_proxy, "scripted")
    clerk = Agent("clerk", model=model, tools=[weather], output_type=Weather)
    agent = Agent("desk", model=model, handoffs=[clerk])

    outcome = await play(agent)

    assert outcome.result.final_output == Weather(city="Oslo", degrees=-3)
    assert outcome.result.last_agent is clerk
    assert [item.type for item in outcome.result.new_items if "tool" in item.type] == [
        "tool_call_item", "tool_call_output_item",
    ]  # fmt: skip
    assert outcome.result.context_wrapper.usage.requests == 3


@pytest.mark.parametrize(
    ("name", "key", "statuses"),
    [
        ("talks", "sk-of-nobody", {400, 401}),  # 400 is what it says without a database of keys.
        ("unheard-of", None, {400, 404}),
    ],
    ids=["wrong key", "unknown model"],
)
async def test_a_refusal_is_one_error_that_says_neither_key_nor_answer(
    litellm_proxy, way, play, name, key, statuses
):
    endpoint = replace(litellm_proxy, key=key or litellm_proxy.key)
    settings = ModelSettings(retry={"max_retries": 0})
    agent = Agent("talker", model=way(endpoint, name), model_settings=settings)

    with pytest.raises(ModelRequestError) as failure:
        await play(agent)

    assert failure.value.status_code in statuses
    for secret in (endpoint.key, "LiteLLM", "No connected db"):
        assert secret not in str(failure.value)


@BY_CHAT
async def test_a_busy_provider_is_a_rate_limit(litellm_proxy, way, play):
    settings = ModelSettings(retry={"max_retries": 0})
    agent = Agent("talker", model=way(litellm_proxy, "busy"), model_settings=settings)

    with pytest.raises(ModelRateLimited) as failure:
        await play(agent)

    assert "Too many questions" not in str(failure.value)


@BY_RESPONSES
async def test_a_busy_provider_is_a_rate_limit_or_a_failed_response(litellm_proxy, way, play):
    settings = ModelSettings(retry={"max_retries": 0})
    agent = Agent("talker", model=way(litellm_proxy, "busy"), model_settings=settings)

    with pytest.raises(
        (ModelRateLimited, ModelBehaviorError), match=r"429|rate_limit_exceeded"
    ) as failure:
        await play(agent)

    assert "Too many questions" not in str(failure.value)
