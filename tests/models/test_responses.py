"""The Responses model against a recording HTTP transport."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from outlast import (
    Agent,
    AgentOutputSchema,
    AgentsException,
    ModelBehaviorError,
    ModelSettings,
    ModelTracing,
    OpenAIResponsesModel,
    WebSearchTool,
    function_tool,
    handoff,
)

SECRET = "sk-secret-key"
PROMPT = "the patient's prompt"


class Answer(BaseModel):
    text: str


@function_tool
def lookup(order_id: str) -> str:
    """Look up."""
    return order_id


def http() -> Any:
    """The HTTP library that the installed `openai` uses."""
    module = openai.DefaultAsyncHttpxClient.__mro__[1].__module__.split(".")[0]
    return __import__(module)


def response(**facts: Any) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "hi", "annotations": []}],
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5",
        "status": "completed",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 1},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 5,
        },
        **facts,
    }


def model_over(handler: Any) -> OpenAIResponsesModel:
    lib = http()
    client = openai.AsyncOpenAI(
        api_key=SECRET,
        base_url="https://api.example.test/v1",
        http_client=lib.AsyncClient(transport=lib.MockTransport(handler), follow_redirects=False),
        max_retries=0,
    )
    return OpenAIResponsesModel("gpt-5", client)


def request(**more: Any) -> tuple[list[Any], dict[str, Any]]:
    given = [
        "Be brief.",
        more.get("input", PROMPT),
        more.get("settings", ModelSettings()),
        more.get("tools", []),
        more.get("schema"),
        more.get("handoffs", []),
        ModelTracing.DISABLED,
    ]
    return given, {"previous_response_id": None, "conversation_id": None, "prompt": None}


async def ask(model: OpenAIResponsesModel, **more: Any) -> Any:
    args, kwargs = request(**more)
    return await model.get_response(*args, **kwargs)


async def stream(model: OpenAIResponsesModel, **more: Any) -> list[Any]:
    args, kwargs = request(**more)
    return [event async for event in model.stream_response(*args, **kwargs)]


def sse(*events: dict[str, Any]) -> str:
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)


async def test_a_request_says_what_the_definitions_say() -> None:
    sent: list[Any] = []

    def handler(got: Any) -> Any:
        sent.append(json.loads(got.content))
        return http().Response(200, json=response(), headers={"x-request-id": "req_1"})

    settings = ModelSettings(
        temperature=0.1,
        max_tokens=9,
        tool_choice="lookup",
        verbosity="low",
        parallel_tool_calls=True,
    )
    answer = await ask(
        model_over(handler),
        settings=settings,
        tools=[lookup, WebSearchTool()],
        schema=AgentOutputSchema(Answer),
        handoffs=[handoff(Agent(name="Billing"))],
    )

    [body] = sent
    assert body["instructions"] == "Be brief."
    assert body["input"] == [{"content": PROMPT, "role": "user"}]
    assert [tool.get("name", tool["type"]) for tool in body["tools"]] == [
        "lookup",
        "web_search",
        "transfer_to_billing",
    ]
    assert body["tool_choice"] == {"type": "function", "name": "lookup"}
    assert body["text"]["verbosity"] == "low"
    assert body["text"]["format"]["name"] == "final_output"
    assert (body["temperature"], body["max_output_tokens"]) == (0.1, 9)
    assert "stream" not in body
    assert answer.response_id == "resp_1"
    assert answer.request_id == "req_1"
    assert (answer.usage.input_tokens, answer.usage.total_tokens) == (3, 5)
    assert answer.usage.input_tokens_details.cached_tokens == 1


async def test_ids_and_fields_of_other_providers_are_left_out() -> None:
    sent: list[Any] = []

    def handler(got: Any) -> Any:
        sent.append(json.loads(got.content)["input"])
        return http().Response(200, json=response())

    items = [
        {"role": "user", "content": "x", "provider_data": {"a": 1}},
        {"type": "reasoning", "id": "r", "summary": [], "provider_data": {"a": 1}},
        {
            "type": "function_call",
            "id": "__fake_id__",
            "name": "f",
            "arguments": "{}",
            "call_id": "c",
        },
    ]
    await ask(model_over(handler), input=items)
    assert sent == [
        [
            {"role": "user", "content": "x"},
            {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
        ]
    ]
    assert "provider_data" in items[0]


async def test_a_failure_is_ours_and_the_librarys_and_tells_no_secrets() -> None:
    def handler(_: Any) -> Any:
        body = {"error": {"message": f"bad {PROMPT} {SECRET}", "code": "rate_limit_exceeded"}}
        return http().Response(429, json=body, headers={"x-request-id": "req_9"})

    for attempt in (ask, stream):
        with pytest.raises(AgentsException) as caught:
            await attempt(model_over(handler))
        error: Any = caught.value
        assert isinstance(error, openai.RateLimitError)
        assert error.status_code == 429
        text = str(error)
        assert "status 429" in text
        assert "rate_limit_exceeded" in text
        assert "req_9" in text
        assert PROMPT not in text
        assert SECRET not in text


async def test_a_connection_that_fails_is_an_error_of_ours() -> None:
    def handler(_: Any) -> Any:
        raise http().ConnectError("refused")

    with pytest.raises(AgentsException, match="APIConnectionError"):
        await ask(model_over(handler))


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def handler(got: Any) -> Any:
        asked.append(str(got.url))
        return http().Response(307, headers={"location": "https://evil.test/"})

    with pytest.raises(AgentsException):
        await ask(model_over(handler))
    assert asked == ["https://api.example.test/v1/responses"]


async def test_a_stream_ends_with_the_whole_response() -> None:
    def handler(got: Any) -> Any:
        assert json.loads(got.content)["stream"] is True
        done = {"type": "response.completed", "sequence_number": 0, "response": response()}
        return http().Response(
            200,
            content=sse(done),
            headers={"content-type": "text/event-stream", "x-request-id": "req_2"},
        )

    [event] = await stream(model_over(handler))
    assert event.response.id == "resp_1"
    assert event.response._request_id == "req_2"


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ((), "did not produce a final response"),
        (
            ({"type": "error", "code": "c", "message": "m", "param": None, "sequence_number": 0},),
            "code=c; message=m",
        ),
        (
            (
                {
                    "type": "response.incomplete",
                    "sequence_number": 0,
                    "response": response(status="incomplete"),
                },
            ),
            "status=incomplete",
        ),
    ],
)
async def test_a_stream_without_a_whole_response_is_an_error(events: Any, message: str) -> None:
    def handler(_: Any) -> Any:
        return http().Response(
            200, content=sse(*events), headers={"content-type": "text/event-stream"}
        )

    with pytest.raises(ModelBehaviorError, match=message):
        await stream(model_over(handler))


async def test_an_argument_given_twice_is_a_mistake() -> None:
    settings = ModelSettings(temperature=0.1, extra_args={"temperature": 0.2})
    with pytest.raises(TypeError, match="multiple values for keyword argument 'temperature'"):
        await ask(model_over(lambda _: None), settings=settings)
