"""OpenAI's own client, with an agent where it thinks that a model is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import openai
import pytest
from pydantic import BaseModel
from tests.server.conftest import PATIENCE_S, desk_of, server_of

from outlast import Agent, function_tool
from outlast.journal import open_journal
from outlast.server import App
from outlast.testing import ScriptedModel, assistant_message, function_call

REFUND = function_call("refund", {"order": "A-1007"}, call_id="call_9")
ASKED = "Refund order A-1007"


@asynccontextmanager
async def client_of(app: App, **options) -> AsyncIterator[openai.AsyncOpenAI]:
    async with server_of(app) as url:
        client = openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=app.token, timeout=PATIENCE_S, **options
        )
        async with client:
            yield client


def scripted(*replies: list, **fields) -> App:
    return App(agents=[desk_of(ScriptedModel(list(replies)), **fields)])


async def test_agents_are_models():
    app = App(agents=[Agent(name="Support Desk"), Agent(name="Research")])
    async with client_of(app) as client:
        found = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("research")
        with pytest.raises(openai.NotFoundError) as error:
            await client.models.retrieve("gpt-none")
    assert found == ["support-desk", "research"]
    assert (one.id, one.owned_by) == ("research", "outlast")
    assert error.value.code == "model_not_found"


async def test_a_wrong_key_is_an_authentication_error():
    async with client_of(scripted()) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="wrong").models.list()


# --- Chat Completions. -------------------------------------------------------------------


async def test_a_chat_is_answered_and_streamed():
    text = "The refund is on its way."
    app = scripted([assistant_message(text)], [assistant_message(text)])
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Where is it?"},
    ]
    async with client_of(app) as client:
        answer = await client.chat.completions.create(model="desk", messages=messages)
        pieces = await client.chat.completions.create(
            model="desk", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in pieces]
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (text, "stop")
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


async def test_a_call_that_waits_is_decided_by_a_tool_message():
    app = scripted([REFUND], [assistant_message("Refunded.")])
    messages: list = [{"role": "user", "content": ASKED}]
    async with client_of(app) as client:
        asked = await client.chat.completions.create(model="desk", messages=messages)
        (call,) = asked.choices[0].message.tool_calls or []
        assert (asked.choices[0].finish_reason, call.function.name) == ("tool_calls", "refund")
        yes = {"role": "tool", "tool_call_id": call.id, "content": '{"approve": true}'}
        messages += [asked.choices[0].message.model_dump(exclude_none=True), yes]
        done = await client.chat.completions.create(model="desk", messages=messages)
        again = await client.chat.completions.create(model="desk", messages=messages)
    assert done.id == asked.id == again.id
    assert done.choices[0].message.content == again.choices[0].message.content == "Refunded."


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"), ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages"),
        ({"metadata": {"a": 1}}, "metadata"),
    ],
)  # fmt: skip
async def test_what_an_agent_does_not_do_is_refused_by_name(fields: dict, param: str):
    async with client_of(scripted()) as client:
        body = {"model": "desk", "messages": [{"role": "user", "content": "Hello"}], **fields}
        with pytest.raises(openai.BadRequestError) as error:
            await client.post("/chat/completions", body=body, cast_to=object)
    assert error.value.param == param


async def test_the_form_of_an_answer_may_be_asked_for_if_it_is_the_agents_own():
    class Order(BaseModel):
        number: str

    app = scripted([assistant_message('{"number": "A-1"}')], output_type=Order)
    async with client_of(app) as client:
        answer = await client.chat.completions.parse(
            model="desk", messages=[{"role": "user", "content": "Which?"}], response_format=Order
        )
    assert answer.choices[0].message.parsed == Order(number="A-1")


# --- Responses. --------------------------------------------------------------------------


async def test_a_response_is_created_retrieved_and_gone_on_from():
    model = ScriptedModel([[assistant_message(text)] for text in ("One.", "Two.", "Other.")])
    async with client_of(App(agents=[desk_of(model)])) as client:
        one = await client.responses.create(
            model="desk", input="first", metadata={"ticket": "T-31"}
        )
        two = await client.responses.create(
            model="desk", input="second", previous_response_id=one.id
        )
        branch = await client.responses.create(
            model="desk", input="third", previous_response_id=one.id, instructions="Be short."
        )
        same = await client.responses.retrieve(one.id)
        asked = await client.responses.input_items.list(one.id)
    assert (one.status, one.output_text, one.metadata) == ("completed", "One.", {"ticket": "T-31"})
    assert (two.output_text, branch.output_text) == ("Two.", "Other.")
    assert same.model_dump() == one.model_dump()
    assert [item.content for item in asked.data] == ["first"]
    heard = [[each.get("content") for each in call.input] for call in model.calls]
    said = lambda text: [{"annotations": [], "text": text, "type": "output_text", "logprobs": []}]  # noqa: E731
    assert [texts[-1] for texts in heard] == ["first", "second", "third"]
    assert [len(texts) for texts in heard] == [1, 3, 4]
    del said


async def test_a_conversation_of_five_is_kept_by_its_id():
    model = ScriptedModel([[assistant_message(f"Answer {n}.")] for n in range(5)])
    async with client_of(App(agents=[desk_of(model)])) as client:
        for n in range(5):
            made = await client.responses.create(
                model="desk", input=f"Question {n}", conversation="cust-88"
            )
            assert made.conversation is not None
    assert len(model.calls[-1].input) == 9
    assert made.conversation.id == "cust-88"


async def test_a_conversation_is_made_gone_on_with_listed_and_forgotten():
    model = ScriptedModel([[assistant_message("Ana.")]])
    async with client_of(App(agents=[desk_of(model)])) as client:
        said = [
            {"role": "user", "content": "I am Ana."},
            {"role": "assistant", "content": "Hello."},
        ]
        made = await client.conversations.create(items=said, metadata={"topic": "names"})  # pyright: ignore[reportArgumentType]
        asked = await client.responses.create(model="desk", input="Who am I?", conversation=made.id)
        assert [item["content"] for item in model.calls[-1].input][:2] == ["I am Ana.", "Hello."]
        assert asked.conversation is not None
        assert (await client.conversations.retrieve(made.id)).metadata == {"topic": "names"}
        found = [
            item async for item in client.conversations.items.list(made.id, limit=3, order="asc")
        ]
        texts = [item.content[0].text for item in found]
        assert texts == ["I am Ana.", "Hello.", "Who am I?", "Ana."]
        more = await client.conversations.items.create(
            made.id, items=[{"role": "user", "content": "Bye.", "type": "message"}]
        )
        assert more.data[0].type == "message"
        assert (await client.conversations.delete(made.id)).deleted
        await client.responses.delete(asked.id)
        for gone in (client.responses.retrieve(asked.id), client.conversations.retrieve("other")):
            with pytest.raises(openai.NotFoundError):
                await gone


@pytest.mark.parametrize(("approve", "ends"), [(True, "Refunded."), (False, "Not refunded.")])
async def test_an_approval_is_asked_for_and_answered_as_that_of_an_mcp_tool(
    approve: bool, ends: str
):
    app = scripted([REFUND], [assistant_message(ends)])
    async with client_of(app) as client:
        asked = await client.responses.create(model="desk", input=ASKED)
        (item,) = asked.output
        assert (asked.status, item.type) == ("completed", "mcp_approval_request")
        said = {"type": "mcp_approval_response", "approval_request_id": item.id, "approve": approve}
        done = await client.responses.create(
            model="desk", previous_response_id=asked.id, input=[said]
        )
    assert (done.id, done.output_text) == (f"{asked.id}~2", ends)


async def test_a_stream_of_a_response_can_be_gone_on_from_at_every_event():
    app = scripted([function_call("look", {}, call_id="c1")], [assistant_message("All is well.")])

    @function_tool
    def look() -> str:
        """Look."""
        return "seen"

    app.agents.by_name["Desk"].tools.append(look)
    async with client_of(app) as client:
        stream = await client.responses.create(model="desk", input="Hello", stream=True)
        events = [event async for event in stream]
        numbers = [event.sequence_number for event in events]
        assert numbers == sorted(set(numbers))
        final = events[-1]
        assert (final.type, final.response.output_text) == ("response.completed", "All is well.")
        texts = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(texts) == "All is well."
        for place, number in enumerate(numbers[:-1]):
            rest = await client.responses.retrieve(
                final.response.id, stream=True, starting_after=number
            )
            assert [e.sequence_number async for e in rest] == numbers[place + 1 :]


async def test_the_clients_own_accumulator_reads_a_stream():
    app = scripted([assistant_message("All is well.")])
    async with (
        client_of(app) as client,
        client.responses.stream(model="desk", input="Hello") as stream,
    ):
        final = await stream.get_final_response()
    assert final.output_text == "All is well."


async def test_a_response_in_the_background_is_cancelled():
    begun = asyncio.Event()

    @function_tool
    async def look() -> str:
        """Look."""
        begun.set()
        await asyncio.Event().wait()
        return ""

    model = ScriptedModel([[function_call("look", {}, call_id="c1")]])
    async with client_of(App(agents=[Agent(name="Desk", tools=[look], model=model)])) as client:
        made = await client.responses.create(model="desk", input="Hello", background=True)
        assert made.status == "in_progress"
        await asyncio.wait_for(begun.wait(), PATIENCE_S)
        assert (await client.responses.cancel(made.id)).status == "cancelled"


async def test_a_request_that_the_client_sends_again_begins_no_second_run():
    app = scripted([assistant_message("Done.")])
    lost: list[str] = []

    class Cut(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            answer = await super().handle_async_request(request)
            if not lost:
                await answer.aread()
                lost.append(answer.headers["outlast-run-id"])
                raise httpx2.ReadError("cut")
            return answer

    http = openai.DefaultAsyncHttpxClient(transport=Cut())
    async with client_of(app, http_client=http, max_retries=2) as client:
        made = await client.responses.create(model="desk", input="Hello")
    assert [made.id] == lost
    assert len(await open_journal().runs()) == 1


async def test_a_run_that_fails_is_a_failed_response_and_an_error_of_a_chat():
    app = scripted(ValueError("no"), ValueError("no"))  # type: ignore[arg-type]
    async with client_of(app, max_retries=0) as client:
        made = await client.responses.create(model="desk", input="Hello")
        assert (made.status, made.error and made.error.code) == ("failed", "server_error")
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(
                model="desk", messages=[{"role": "user", "content": "Hello"}]
            )
