"""Runs on llama.cpp's server with a model that has learnt nothing.

What it says is noise; a grammar of the server's gives it a form where one is asked for. So these
tests look at what must hold for any text.
"""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel

from outlast import Agent, MaxTurnsExceeded, ModelBehaviorError, ModelSettings, function_tool

pytestmark = [
    pytest.mark.endpoints,
    # LiteLLM and any-llm use what others have deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

NAME = "nothing-learnt"
# Over its Responses API the server takes no notice of `text.format`.
WITH_FORMS = pytest.mark.parametrize("way", ["chat", "litellm", "any-llm chat"], indirect=True)
WITHOUT_FORMS = pytest.mark.parametrize("way", ["responses", "any-llm responses"], indirect=True)
# The server samples with this seed, so that a run is the same as the one before.
SETTINGS = ModelSettings(max_tokens=1500, include_usage=True, extra_body={"seed": 5})


class Weather(BaseModel):
    city: Literal["Oslo", "Rome"]
    is_sunny: bool


@function_tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """Tell the weather of a city."""
    return f"Snow in {city}."


def settings(**more) -> ModelSettings:
    return SETTINGS.resolve(ModelSettings(**more))


async def test_a_text_is_the_final_output_and_its_tokens_are_counted(inference_server, way, play):
    agent = Agent("talker", model=way(inference_server, NAME), model_settings=SETTINGS)

    outcome = await play(agent)

    text = outcome.result.final_output
    assert text
    assert outcome.deltas in (None, text)
    usage = outcome.result.context_wrapper.usage
    assert usage.requests == 1
    assert usage.output_tokens >= len(text)  # A token is one character, or the end.
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


@WITH_FORMS
async def test_a_form_is_an_object_of_the_output_type(inference_server, way, play):
    agent = Agent(
        "clerk", model=way(inference_server, NAME), model_settings=SETTINGS, output_type=Weather
    )

    outcome = await play(agent)

    assert isinstance(outcome.result.final_output, Weather)


@WITHOUT_FORMS
async def test_a_form_that_the_server_does_not_know_is_the_models_misbehaviour(
    inference_server, way, play
):
    agent = Agent(
        "clerk", model=way(inference_server, NAME), model_settings=SETTINGS, output_type=Weather
    )

    with pytest.raises(ModelBehaviorError):
        await play(agent)


@WITHOUT_FORMS
async def test_a_handoff_ends_with_a_text_of_the_other_agent(inference_server, way, play):
    model = way(inference_server, NAME)
    clerk = Agent("clerk", model=model, model_settings=SETTINGS)
    agent = Agent(
        "desk", model=model, model_settings=settings(tool_choice="required"), handoffs=[clerk]
    )

    outcome = await play(agent)

    assert isinstance(outcome.result.final_output, str)
    assert outcome.result.last_agent is clerk


async def test_a_required_tool_is_run_with_arguments_of_its_schema(inference_server, way, play):
    agent = Agent(
        "clerk",
        model=way(inference_server, NAME),
        model_settings=settings(tool_choice="required"),
        tools=[weather],
        tool_use_behavior="stop_on_first_tool",
    )

    outcome = await play(agent)

    assert outcome.result.final_output in ("Snow in Oslo.", "Snow in Rome.")


async def test_a_tools_result_is_sent_back_until_there_is_a_text(inference_server, way, play):
    agent = Agent(
        "clerk",
        model=way(inference_server, NAME),
        model_settings=settings(tool_choice="required"),
        tools=[weather],
    )

    outcome = await play(agent, max_turns=50)

    assert isinstance(outcome.result.final_output, str)
    usage = outcome.result.context_wrapper.usage
    assert usage.requests == len(outcome.result.raw_responses) > 1


@WITH_FORMS
async def test_a_handoff_ends_with_the_form_of_the_other_agent(inference_server, way, play):
    model = way(inference_server, NAME)
    clerk = Agent("clerk", model=model, model_settings=SETTINGS, output_type=Weather)
    agent = Agent(
        "desk", model=model, model_settings=settings(tool_choice="required"), handoffs=[clerk]
    )

    outcome = await play(agent)

    assert isinstance(outcome.result.final_output, Weather)
    assert outcome.result.last_agent is clerk


async def test_a_model_that_only_calls_tools_runs_into_the_limit_of_turns(
    inference_server, way, play
):
    agent = Agent(
        "clerk",
        model=way(inference_server, NAME),
        model_settings=settings(tool_choice="required"),
        tools=[weather],
        reset_tool_choice=False,
    )

    with pytest.raises(MaxTurnsExceeded):
        await play(agent, max_turns=3)


async def test_a_form_that_is_cut_off_by_max_tokens_is_the_models_misbehaviour(
    inference_server, way, play
):
    agent = Agent(
        "clerk",
        model=way(inference_server, NAME),
        model_settings=settings(max_tokens=5),
        output_type=Weather,
    )

    with pytest.raises(ModelBehaviorError):
        await play(agent)
