"""The provider server, asked by OpenAI's own client over real sockets."""

import asyncio
import json

import openai
import pytest

from outlast import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from outlast.core.errors import UserError
from outlast.core.usage import Usage
from outlast.testing import (
    InvalidModelStep,
    ModelStep,
    ScriptedModel,
    UnconsumedModelSteps,
    assistant_message,
    function_call,
)
from outlast.testing.provider import (
    ProviderSettings,
    ScriptedProvider,
    StatusError,
    reasoning,
    refusal,
)

MESSAGES = [{"role": "user", "content": "Hello?"}]
TOOL = {
    "type": "function",
    "name": "lookup_order",
    "description": "Look an order up.",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string", "description": "The order's id, A-1."}},
        "required": ["order_id"],
    },
}
CHAT_TOOL = {"type": "function", "function": {k: v for k, v in TOOL.items() if k != "type"}}
CALL = function_call("lookup_order", {"order_id": "A-1007"}, call_id="call-1")
SPENT = Usage(requests=1, input_tokens=11, output_tokens=5, total_tokens=16)


def says(text):
    return [assistant_message(text)]


async def kinds(stream):
    return [event.type async for event in stream]


# --- Answers from a script. --------------------------------------------------------------


async def test_a_response_says_what_the_script_says():
    async with ScriptedProvider([ModelStep(output=says("It is sunny."), usage=SPENT)]) as provider:
        response = await provider.client().responses.create(model="gpt-x", input="Weather?")
    assert response.output_text == "It is sunny."
    assert (response.status, response.model) == ("completed", "gpt-x")
    assert response.usage.total_tokens == 16
    provider.assert_complete()


async def test_a_streamed_response_brings_the_text_in_pieces():
    async with ScriptedProvider([says("It is sunny.")]) as provider:
        stream = await provider.client().responses.create(model="m", input="?", stream=True)
        events = [event async for event in stream]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["It", " is", " sunny."]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].response.output_text == "It is sunny."


async def test_a_response_has_reasoning_calls_and_refusals():
    steps = [[reasoning("Hm."), CALL], [refusal("I will not.")]]
    async with ScriptedProvider(steps) as provider:
        client = provider.client()
        thought, call = (await client.responses.create(model="m", input="?")).output
        (said,) = (await client.responses.create(model="m", input="?")).output
    assert thought.summary[0].text == "Hm."
    assert (call.name, json.loads(call.arguments)) == ("lookup_order", {"order_id": "A-1007"})
    assert said.content[0].refusal == "I will not."


async def test_an_item_without_parts_is_streamed_whole():
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed",
            "action": {"type": "search", "query": "x"}}  # fmt: skip
    async with ScriptedProvider([[item]]) as provider:
        stream = await provider.client().responses.create(model="m", input="?", stream=True)
        assert (await kinds(stream))[2:4] == [
            "response.output_item.added",
            "response.output_item.done",
        ]


async def test_a_chat_completion_says_what_the_script_says():
    steps = [ModelStep(output=[*says("One moment."), CALL], usage=SPENT), [refusal("No.")]]
    async with ScriptedProvider(steps) as provider:
        client = provider.client()
        first = await client.chat.completions.create(model="m", messages=MESSAGES)
        second = await client.chat.completions.create(model="m", messages=MESSAGES)
    choice = first.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("One moment.", "tool_calls")
    assert choice.message.tool_calls[0].function.name == "lookup_order"
    assert first.usage.prompt_tokens == 11
    assert second.choices[0].message.refusal == "No."


async def test_a_streamed_chat_completion_adds_up():
    steps = [ModelStep(output=[reasoning("Hm."), *says("One moment."), CALL], usage=SPENT)]
    async with ScriptedProvider(steps) as provider:
        stream = await provider.client().chat.completions.create(
            model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    assert "".join(delta.content or "" for delta in deltas) == "One moment."
    assert "".join(call.function.arguments for call in calls) == '{"order_id":"A-1007"}'
    assert "".join(getattr(d, "reasoning_content", None) or "" for d in deltas) == "Hm."
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage.total_tokens == 16


async def test_the_usage_of_a_chat_stream_comes_only_if_it_is_asked_for():
    async with ScriptedProvider([says("Hi.")]) as provider:
        stream = await provider.client().chat.completions.create(
            model="m", messages=MESSAGES, stream=True
        )
        assert [chunk.usage async for chunk in stream if chunk.usage] == []


async def test_a_step_may_be_worked_out_from_the_call():
    def answer(call):
        tools = [tool.name for tool in call.tools]
        return says(f"{call.system_instructions} {call.input} {tools} {call.model_settings.top_p}")

    steps = [ModelStep.respond(answer)] * 2
    async with ScriptedProvider(steps) as provider:
        client = provider.client()
        response = await client.responses.create(
            model="m", instructions="Be kind.", input="Hello?", tools=[TOOL], top_p=0.5
        )
        chat = await client.chat.completions.create(
            model="m",
            messages=[{"role": "system", "content": "Be kind."}, *MESSAGES],
            tools=[CHAT_TOOL],
            top_p=0.5,
        )
    assert response.output_text == "Be kind. Hello? ['lookup_order'] 0.5"
    said = chat.choices[0].message.content
    assert said == f"Be kind. {MESSAGES} ['lookup_order'] 0.5"


async def test_a_step_may_give_its_events():
    events = [{"type": "response.created", "sequence_number": 0, "response": {"id": "resp_own"}},
              {"type": "response.completed", "sequence_number": 1,
               "response": {"id": "resp_own", "output": []}}]  # fmt: skip

    async def made(call):
        for event in events:
            yield event

    steps = [ModelStep.stream(made), ModelStep.stream(made, output=says("Plain."))]
    async with ScriptedProvider(steps) as provider:
        client = provider.client()
        stream = await client.responses.create(model="m", input="?", stream=True)
        assert await kinds(stream) == ["response.created", "response.completed"]
        assert (await client.responses.create(model="m", input="?")).output_text == "Plain."


async def test_a_script_that_is_over_says_so_and_is_not_asked_again():
    async with ScriptedProvider([says("Once.")]) as provider:
        client = provider.client()
        await client.responses.create(model="m", input="?")
        with pytest.raises(openai.BadRequestError, match="has 1 steps and was asked for request 2"):
            await client.responses.create(model="m", input="?")
        provider.extend([says("Twice.")])
        assert (await client.responses.create(model="m", input="?")).output_text == "Twice."


async def test_steps_that_nobody_asked_for_are_counted():
    async with ScriptedProvider([says("a"), says("b")]) as provider:
        await provider.client().responses.create(model="m", input="?")
    with pytest.raises(UnconsumedModelSteps, match="1 scripted step"):
        provider.assert_complete()


def test_a_bad_step_is_refused_where_it_is_written():
    with pytest.raises(InvalidModelStep, match="#2 has unknown fields: outptu"):
        ScriptedProvider([says("a"), {"outptu": []}])


def test_a_script_and_a_model_exclude_each_other():
    with pytest.raises(UserError, match="steps or a model"):
        ScriptedProvider([], model=ScriptedModel([]))


async def test_without_state_a_repeated_question_gets_the_same_answer():
    steps = [[CALL], says("It is on its way.")]
    later = [
        {"role": "user", "content": "Where is A-1007?"},
        CALL.model_dump(exclude_unset=True),
        {"type": "function_call_output", "call_id": "call-1", "output": "on its way"},
    ]
    async with ScriptedProvider(steps, stateless=True) as provider:
        client = provider.client()
        asked = [await client.responses.create(model="m", input=text) for text in "aa"]
        done = [await client.responses.create(model="m", input=later) for _ in range(2)]
        last = [*later, {"role": "assistant", "content": "It is on its way."}]
        with pytest.raises(openai.BadRequestError, match="asked for turn 3"):
            await client.responses.create(model="m", input=last)
    assert [each.output[0].type for each in asked] == ["function_call"] * 2
    assert [each.output_text for each in done] == ["It is on its way."] * 2


# --- Errors as steps. --------------------------------------------------------------------


async def test_a_status_is_sent_with_its_code_and_headers():
    step = StatusError(429, "Slow down.", code="rate_limit_exceeded", headers={"Retry-After": "3"})
    async with ScriptedProvider([step]) as provider:
        with pytest.raises(openai.RateLimitError) as caught:
            await provider.client(max_retries=0).responses.create(model="m", input="?")
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "3"
    assert caught.value.request_id == "req_0001"


async def test_an_error_of_the_client_is_sent_as_it_came():
    async with ScriptedProvider([StatusError(503, "Down.", code="down")]) as first:
        with pytest.raises(openai.InternalServerError) as caught:
            await first.client(max_retries=0).responses.create(model="m", input="?")
    async with ScriptedProvider([caught.value]) as second:
        with pytest.raises(openai.InternalServerError) as again:
            await second.client(max_retries=0).responses.create(model="m", input="?")
    assert again.value.body == caught.value.body


@pytest.mark.parametrize(
    ("step", "raised"),
    [
        (ConnectionResetError(), openai.APIConnectionError),
        (TimeoutError(), openai.APITimeoutError),
        (KeyError("x"), openai.InternalServerError),
    ],
)
async def test_an_exception_is_felt_as_what_it_stands_for(step, raised):
    limit_s = 0.5 if isinstance(step, TimeoutError) else 60
    async with ScriptedProvider([step]) as provider:
        client = provider.client(max_retries=0, timeout=limit_s)
        with pytest.raises(raised):
            await client.responses.create(model="m", input="?")


async def test_it_is_noted_that_a_client_left():
    async with ScriptedProvider([TimeoutError()]) as provider:
        client = provider.client(max_retries=0, timeout=60)
        asking = asyncio.create_task(client.responses.create(model="m", input="?"))
        async with asyncio.timeout(60):
            while not provider.requests:  # noqa: ASYNC110 (a plain fact, nobody is told)
                await asyncio.sleep(0.01)
            asking.cancel()
            (asked,) = provider.requests
            while not asked.client_left:  # noqa: ASYNC110 (a plain fact, nobody is told)
                await asyncio.sleep(0.01)


# --- What was asked. ---------------------------------------------------------------------


async def test_requests_are_recorded_in_order():
    async with ScriptedProvider([says("a"), says("b")]) as provider:
        client = provider.client(default_headers={"X-Trace": "7"})
        await client.models.list(extra_query={"limit": "2"})
        await client.responses.create(model="m", input="One")
        await client.chat.completions.create(model="m", messages=MESSAGES)
    asked = [(each.method, each.path) for each in provider.requests]
    assert asked == [
        ("GET", "/v1/models"),
        ("POST", "/v1/responses"),
        ("POST", "/v1/chat/completions"),
    ]
    models, response, chat = provider.requests
    assert (models.query, models.body) == ({"limit": "2"}, None)
    assert response.body["input"] == "One"
    assert chat.body["messages"] == MESSAGES
    assert response.headers["authorization"] == "Bearer sk-test-key"
    assert response.headers["x-trace"] == "7"
    assert provider.connections == 1  # The client keeps its connection.
    assert "sk-test-key" not in json.dumps(response.facts())


async def test_a_request_that_is_no_request_is_refused():
    async with ScriptedProvider([]) as provider:
        client = provider.client(max_retries=0)
        with pytest.raises(openai.BadRequestError, match="`input` must be"):
            await client.responses.create(model="m", input=None)
        with pytest.raises(openai.NotFoundError, match="There is no POST /v1/embeddings"):
            await client.embeddings.create(model="m", input="x")


# --- Continuing, background, websocket. --------------------------------------------------


async def test_a_response_continues_another():
    steps = [says("Your name is Ada."), says("Ada.")]
    async with ScriptedProvider(steps, stateless=True) as provider:
        client = provider.client()
        first = await client.responses.create(model="m", input="I am Ada.")
        second = await client.responses.create(
            model="m", input="Who am I?", previous_response_id=first.id
        )
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="m", input="?", previous_response_id="resp_none")
    assert second.output_text == "Ada."
    assert caught.value.code == "previous_response_not_found"


async def test_a_background_response_is_complete_after_some_polls():
    settings = ProviderSettings(background_polls=3)
    async with ScriptedProvider([says("Done.")], settings=settings) as provider:
        client = provider.client()
        response = await client.responses.create(model="m", input="?", background=True)
        seen = [response.status]
        while response.status not in ("completed", "failed"):
            response = await client.responses.retrieve(response.id)
            seen.append(response.status)
    assert seen == ["queued", "in_progress", "in_progress", "completed"]
    assert response.output_text == "Done."


async def test_a_background_response_can_be_cancelled():
    async with ScriptedProvider([says("Never."), says("Now.")]) as provider:
        client = provider.client()
        response = await client.responses.create(model="m", input="?", background=True)
        assert (await client.responses.cancel(response.id)).status == "cancelled"
        assert (await client.responses.retrieve(response.id)).status == "cancelled"
        direct = await client.responses.create(model="m", input="?")
        with pytest.raises(openai.BadRequestError, match="Only background"):
            await client.responses.cancel(direct.id)


async def test_a_stored_response_can_be_deleted():
    async with ScriptedProvider([says("a"), says("b")]) as provider:
        client = provider.client()
        kept = await client.responses.create(model="m", input="?")
        unkept = await client.responses.create(model="m", input="?", store=False)
        await client.responses.delete(kept.id)
        for gone in (kept, unkept):
            with pytest.raises(openai.NotFoundError):
                await client.responses.retrieve(gone.id)


async def test_a_cut_stream_can_be_taken_up_where_it_was():
    async with ScriptedProvider(model=ScriptedModel([])) as provider:
        client = provider.client(max_retries=0)
        stream = await client.responses.create(
            model="fault:s_fin", input="?", stream=True, background=True
        )
        before = [event async for event in stream]
        rest = await client.responses.retrieve(
            before[0].response.id, stream=True, starting_after=before[-1].sequence_number
        )
        after = [event async for event in rest]
    numbers = [event.sequence_number for event in before + after]
    assert 0 < len(before) < len(numbers)
    assert numbers == list(range(len(numbers)))
    assert after[-1].type == "response.completed"


async def test_a_websocket_carries_several_requests():
    websockets = pytest.importorskip("websockets")
    async with ScriptedProvider([says("One."), says("Two."), StatusError(429, "No.")]) as provider:
        url = f"{provider.websocket_base_url}/responses"
        async with websockets.connect(url, additional_headers={"X-Own": "1"}) as socket:
            said = []
            for number in range(2):
                asked = {"type": "response.create", "model": "m", "input": f"{number}" * 70_000}
                await socket.send(json.dumps(asked))
                while (event := json.loads(await socket.recv()))["type"] != "response.completed":
                    pass
                said.append(event["response"]["output"][0]["content"][0]["text"])
            await socket.send(json.dumps({"type": "response.create", "model": "m", "input": "x"}))
            error = json.loads(await socket.recv())
            await socket.send("{}")
            refused = json.loads(await socket.recv())
    assert said == ["One.", "Two."]
    assert (error["type"], error["status"], error["error"]["message"]) == ("error", 429, "No.")
    assert "response.create" in refused["error"]["message"]
    assert [each.method for each in provider.requests] == ["GET"] + ["WS"] * 4
    assert provider.requests[2].body["input"] == "1" * 70_000
    assert provider.requests[1].headers["x-own"] == "1"
    assert {each.transport for each in provider.requests[1:]} == {"websocket"}


async def test_the_clients_own_websocket_works():
    pytest.importorskip("websockets")
    async with ScriptedProvider([says("Hello there.")]) as provider:
        client = provider.client()
        async with client.responses.connect() as socket:
            await socket.send({"type": "response.create", "model": "m", "input": "?"})
            async for event in socket:
                if event.type == "response.completed":
                    break
    assert event.response.output[0].content[0].text == "Hello there."


async def test_a_websocket_may_be_switched_off():
    websockets = pytest.importorskip("websockets")
    settings = ProviderSettings(websocket=False)
    async with ScriptedProvider([], settings=settings) as provider:
        with pytest.raises(websockets.InvalidStatus, match="404"):
            await websockets.connect(f"{provider.websocket_base_url}/responses")


# --- Agents over HTTP. -------------------------------------------------------------------


@function_tool
def lookup_order(order_id: str) -> str:
    """Look an order up.

    Args:
        order_id: The order's id, A-1.
    """
    return f"{order_id} is on its way"


@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
async def test_an_agent_runs_against_a_script(kind):
    async with ScriptedProvider([[CALL], says("It is on its way.")]) as provider:
        model = kind("m", provider.client())
        agent = Agent(name="Desk", instructions="Be kind.", tools=[lookup_order], model=model)
        result = await Runner.run(agent, "Where is A-1007?")
    assert result.final_output == "It is on its way."
    assert "A-1007 is on its way" in json.dumps(provider.requests[1].body)
    provider.assert_complete()


@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
async def test_without_a_script_the_offline_model_answers(kind):
    async with ScriptedProvider() as provider:
        model = kind("m", provider.client())
        refunds = Agent(name="Shipping", handoff_description="Finds orders",
                        tools=[lookup_order], model=model)  # fmt: skip
        agent = Agent(name="Desk", handoffs=[refunds], model=model)
        result = Runner.run_streamed(agent, "Please have shipping look up order A-1007.")
        async for _ in result.stream_events():
            pass
    assert "A-1007 is on its way" in result.final_output
    assert result.last_agent.name == "Shipping"
    assert len(provider.requests) == 3


async def test_a_model_of_ones_own_may_answer():
    async with ScriptedProvider(model=ScriptedModel([says("Mine.")])) as provider:
        response = await provider.client().responses.create(model="m", input="?")
    assert response.output_text == "Mine."


# --- Running it. -------------------------------------------------------------------------


def test_a_provider_in_a_thread_serves_a_client_without_asyncio():
    with (
        ScriptedProvider([says("Hi."), says("Ho.")]) as provider,
        provider.sync_client() as client,
    ):
        response = client.responses.create(model="m", input="?")
        chat = client.chat.completions.create(model="m", messages=MESSAGES)
    assert (response.output_text, chat.choices[0].message.content) == ("Hi.", "Ho.")
    assert len(provider.requests) == 2


async def test_closing_ends_what_hangs():
    arrived = asyncio.Event()
    settings = ProviderSettings(on_request=lambda _: arrived.set())
    async with ScriptedProvider([TimeoutError()], settings=settings) as provider:
        client = provider.client(max_retries=0)
        asked = asyncio.create_task(client.responses.create(model="m", input="?"))
        await arrived.wait()
    with pytest.raises((openai.APIConnectionError, RuntimeError)):
        await asked


def test_before_it_runs_it_has_no_address():
    with pytest.raises(UserError, match="not running"):
        _ = ScriptedProvider([]).base_url


async def test_two_requests_at_once_are_both_answered():
    async with ScriptedProvider([says("a"), says("b")]) as provider:
        client = provider.client()
        made = [client.responses.create(model="m", input="?") for _ in range(2)]
        answers = await asyncio.gather(*made)
    assert {each.output_text for each in answers} == {"a", "b"}
    assert len({each.id for each in answers}) == 2
