"""The scripted model: what it promises to tests."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, ModelResponse, ModelSettings, ModelTracing, Runner, Usage, function_tool
from outlast.models.streaming import reply_events, reply_of
from outlast.testing import (
    InvalidModelStep,
    ModelStep,
    ScriptedModel,
    UnconsumedModelSteps,
    UnexpectedModelCall,
    assistant_message,
    function_call,
)


async def ask(model: ScriptedModel, given: Any = "hi") -> Any:
    return await model.get_response(
        None, given, ModelSettings(), [], None, [], ModelTracing.DISABLED,
        previous_response_id=None, conversation_id=None, prompt=None,
    )  # fmt: skip


async def test_steps_are_played_in_order_and_the_requests_remembered() -> None:
    @function_tool
    def lookup(city: str) -> str:
        return f"sunny in {city}"

    model = ScriptedModel(
        [
            [function_call("lookup", {"city": "Rome"}, call_id="c1")],
            [assistant_message("sunny")],
        ]
    )
    result = await Runner.run(Agent(name="a", model=model, tools=[lookup]), "weather?")
    assert result.final_output == "sunny"
    assert model.last_call is not None
    assert model.last_call.input[-1]["output"] == "sunny in Rome"
    model.assert_complete()


async def test_one_call_too_many_says_which() -> None:
    model = ScriptedModel([[assistant_message("x")]])
    await ask(model)
    with pytest.raises(UnexpectedModelCall, match="call #2: no scripted steps remain") as caught:
        await ask(model, "again")
    assert caught.value.call_index == 1
    assert caught.value.call.input == "again"
    assert len(model.calls) == 2


def test_steps_left_over_are_told() -> None:
    with pytest.raises(UnconsumedModelSteps) as caught:
        ScriptedModel([[assistant_message("x")]]).assert_complete()
    assert caught.value.remaining_steps == 1


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("text", "invalid_input"),
        ({"nope": 1}, "unsupported_field"),
        ({"error": "text"}, "invalid_error"),
        ({"responder": 1}, "invalid_responder"),
        ({"stream_events": 1}, "invalid_stream_events"),
        ({"error": ValueError(), "responder": len}, "conflicting_outcomes"),
    ],
)
def test_a_wrong_step_is_refused_where_it_is_written(step: Any, reason: str) -> None:
    with pytest.raises(InvalidModelStep, match="step #2") as caught:
        ScriptedModel([[], step])
    assert caught.value.reason == reason
    assert caught.value.input_index == 1


async def test_a_responder_sees_the_call_and_may_answer_with_any_step() -> None:
    model = ScriptedModel([ModelStep.respond(lambda call: [assistant_message(call.input)])])
    assert (await ask(model, "echo")).output[0].content[0].text == "echo"


async def test_an_error_step_raises_that_very_error() -> None:
    error = ValueError("boom")
    with pytest.raises(ValueError, match="boom") as caught:
        await ask(ScriptedModel([error]))
    assert caught.value is error


async def test_a_reply_survives_its_own_stream() -> None:
    reply = ModelResponse(
        output=[assistant_message("hello big world"), function_call("f", {"a": 1}, call_id="c")],
        usage=Usage(requests=3, input_tokens=5, total_tokens=5),
        response_id=None,
        request_id="req",
    )
    last: Any = list(reply_events(reply, model="m", split=lambda text: text.split(" ")))[-1]
    assert reply_of(last.response) == reply
