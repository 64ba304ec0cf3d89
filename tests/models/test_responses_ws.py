"""The Responses API over real websockets, on this machine."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import openai
import pytest
from websockets.asyncio.server import ServerConnection, serve

from outlast import (
    Agent,
    AgentsException,
    ModelBehaviorError,
    ModelSettings,
    ModelTracing,
    OpenAIResponsesWSModel,
    ResponsesWebSocketError,
    ResponsesWebSocketSession,
    RunConfig,
    Runner,
    UserError,
    responses_websocket_session,
)
from outlast.core.errors import (
    ModelAuthError,
    ModelRateLimited,
    ModelReplyMalformed,
    ModelRequestError,
    ModelResponseTooLarge,
    ModelStreamTruncated,
    ModelUnavailable,
)
from outlast.definitions.limits import ModelLimits
from outlast.definitions.retry import ModelRetryAdviceRequest
from outlast.models.provider import MultiProvider, OpenAIProvider
from outlast.models.websocket import frame_of, url_of
from outlast.testing.provider import ScriptedProvider, faults_for

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

PROMPT = "the patient's prompt"


class Server:
    """Answers every message with what `answer` says, and remembers everything."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.connections: list[ServerConnection] = []
        self.paths: list[str] = []
        self.closed = asyncio.Event()
        self.answer: Callable[[ServerConnection, int], Awaitable[None]] = reply
        self.refuse: Callable[[ServerConnection], Response | None] = lambda _: None
        self.url = ""

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        assert connection.request
        self.paths.append(connection.request.path)
        try:
            async for message in connection:
                self.frames.append(json.loads(message))
                await self.answer(connection, len(self.frames))
        finally:
            self.closed.set()

    def client(self, **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key="sk-test", base_url=self.url, max_retries=0, **{"timeout": 5.0, **options}
        )

    def model(self, **options: Any) -> OpenAIResponsesWSModel:
        return OpenAIResponsesWSModel(
            "gpt-5", self.client(), websocket_options=options.pop("options", None), **options
        )


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    made = Server()

    async def handshake(connection: ServerConnection, request: Request) -> Response | None:
        answer: Any = made.refuse(connection)
        return await answer if inspect.isawaitable(answer) else answer

    async with serve(made.handle, "127.0.0.1", 0, process_request=handshake) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        made.url = f"http://127.0.0.1:{port}/v1"
        yield made


def events(number: int, text: str = "hi") -> list[dict[str, Any]]:
    item = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    facts = {"id": f"resp_{number}", "object": "response", "created_at": 1, "model": "gpt-5"}
    facts |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    usage |= {"input_tokens_details": {"cached_tokens": 1}}
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}
    delta = {"type": "response.output_text.delta", "item_id": item["id"], "delta": text}
    delta |= {"output_index": 0, "content_index": 0, "logprobs": [], "sequence_number": 1}
    return [
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": {**facts, "status": "in_progress", "output": []},
        },
        delta,
        {
            "type": "response.completed",
            "sequence_number": 2,
            "response": {**facts, "status": "completed", "output": [item], "usage": usage},
        },
    ]


async def reply(connection: ServerConnection, number: int) -> None:
    for event in events(number):
        await connection.send(json.dumps(event))


async def die(connection: ServerConnection, number: int) -> None:
    connection.transport.abort()


def request(text: str = PROMPT, **more: Any) -> tuple[list[Any], dict[str, Any]]:
    settings = more.pop("settings", ModelSettings())
    kept = {"previous_response_id": None, "conversation_id": None, "prompt": None}
    return ["Be brief.", text, settings, [], None, [], ModelTracing.DISABLED], {**kept, **more}


async def ask(model: OpenAIResponsesWSModel, **more: Any) -> Any:
    args, kwargs = request(**more)
    return await model.get_response(*args, **kwargs)


async def stream(model: OpenAIResponsesWSModel, **more: Any) -> list[Any]:
    args, kwargs = request(**more)
    return [event async for event in model.stream_response(*args, **kwargs)]


# --- What goes over the wire. ------------------------------------------------------------


async def test_calls_share_a_socket_and_are_what_http_would_have_sent() -> None:
    async with server() as at:
        model = at.model()
        first = await ask(model, settings=ModelSettings(temperature=0.1, metadata={"a": "b"}))
        events = await stream(model, previous_response_id="resp_1")
        await model.close()
    assert first.response_id == "resp_1"
    assert (first.usage.input_tokens, first.usage.input_tokens_details.cached_tokens) == (3, 1)
    assert [event.type for event in events][::2] == ["response.created", "response.completed"]
    assert type(events[1]).__name__ == "ResponseTextDeltaEvent"
    assert events[-1].response.output[0].content[0].text == "hi"
    assert at.paths == ["/v1/responses"]
    assert at.frames[0] == {
        "type": "response.create",
        "stream": True,
        "model": "gpt-5",
        "instructions": "Be brief.",
        "input": [{"content": PROMPT, "role": "user"}],
        "include": [],
        "tools": [],
        "temperature": 0.1,
        "metadata": {"a": "b"},
    }
    assert at.frames[1]["previous_response_id"] == "resp_1"


async def test_key_and_headers_go_with_the_handshake() -> None:
    async with server() as at:
        model = at.model()
        await ask(model, settings=ModelSettings(extra_headers={"X-Team": "a", "user-agent": "me"}))
        await model.close()
        [connection] = at.connections
        headers = connection.request.headers  # pyright: ignore[reportOptionalMemberAccess]
        assert headers["Authorization"] == "Bearer sk-test"
        assert (headers["X-Team"], headers.get_all("User-Agent")) == ("a", ["me"])


async def test_other_headers_take_another_socket() -> None:
    async with server() as at:
        model = at.model()
        for team in ("a", "a", "b"):
            await ask(model, settings=ModelSettings(extra_headers={"X-Team": team}))
        await model.close()
        assert len(at.connections) == 2


async def test_concurrent_calls_wait_for_each_other() -> None:
    busy = most = 0

    async def slowly(connection: ServerConnection, number: int) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        await reply(connection, number)
        busy -= 1

    async with server() as at:
        at.answer = slowly
        model = at.model()
        answers = await asyncio.gather(*(ask(model) for _ in range(5)))
        await model.close()
        assert len({answer.response_id for answer in answers}) == 5
        assert (len(at.connections), most) == (1, 1)


def test_a_loop_has_a_socket_of_its_own() -> None:
    async def main(at: Server) -> None:
        loop = asyncio.new_event_loop()

        async def call() -> str:
            answer = await ask(model)
            await model.close()
            return answer.response_id

        model = at.model()
        await ask(model)
        there = await asyncio.to_thread(loop.run_until_complete, call())
        loop.close()
        assert there == "resp_2"
        await model.close()
        assert len(at.connections) == 2

    async def begin() -> None:
        async with server() as at:
            await main(at)

    asyncio.run(begin())


@pytest.mark.parametrize(
    ("base", "query", "url"),
    [
        ({"base_url": "http://127.0.0.1:81/v1/"}, None, "ws://127.0.0.1:81/v1/responses"),
        ({"websocket_base_url": "https://x.test/v1?a=b"}, None, "wss://x.test/v1/responses?a=b"),
        ({"websocket_base_url": "wss://x.test"}, {"r": "1"}, "wss://x.test/responses?r=1"),
        (
            {"websocket_base_url": "ws://x.test/v1?a=b", "default_query": {"c": "d"}},
            {"a": openai.omit, "c": openai.NOT_GIVEN},
            "ws://x.test/v1/responses?c=d",
        ),
    ],
)
def test_the_address_follows_from_the_client(base: Any, query: Any, url: str) -> None:
    client = openai.AsyncOpenAI(api_key="k", **{"base_url": "https://h.test/v1", **base})
    assert url_of(client, query) == url


def test_an_address_of_another_kind_is_refused() -> None:
    client = openai.AsyncOpenAI(api_key="k", websocket_base_url="ftp://x.test/v1")
    with pytest.raises(UserError, match="'ftp'"):
        url_of(client)


def test_a_frame_has_the_body_and_nothing_of_the_transport() -> None:
    frame = frame_of(
        {
            "model": "m",
            "user": openai.NOT_GIVEN,
            "text": openai.omit,
            "stream": True,
            "timeout": 3,
            "extra_headers": {"a": "b"},
            "extra_query": {"a": "b"},
            "extra_body": {"type": "no", "stream": False, "mine": 1, "left_out": openai.omit},
        }
    )
    assert json.loads(frame) == {
        "type": "response.create",
        "stream": True,
        "model": "m",
        "mine": 1,
    }


# --- Sockets that end. -------------------------------------------------------------------


async def test_a_socket_that_closed_meanwhile_is_replaced() -> None:
    async with server() as at:
        model = at.model()
        await ask(model)
        await at.connections[0].close()
        assert (await ask(model)).response_id == "resp_2"
        await model.close()
        assert len(at.connections) == 2


async def test_a_handshake_that_nobody_answers_is_tried_once_more() -> None:
    tries = 0

    def cut(connection: ServerConnection) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            connection.transport.abort()

    async with server() as at:
        at.refuse = cut
        model = at.model()
        assert (await ask(model)).response_id == "resp_1"
        await model.close()
    assert tries == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_request_that_was_sent_is_not_sent_again(streamed: bool) -> None:
    async with server() as at:
        at.answer = die
        model = at.model()
        with pytest.raises(ModelRequestError, match="before any response events") as failed:
            await (stream if streamed else ask)(model)
        assert isinstance(failed.value, openai.APIConnectionError)
        assert len(at.frames) == 1
        at.answer = reply
        assert (await ask(model)).response_id == "resp_2"
        await model.close()


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_is_cut_off_is_an_error(streamed: bool) -> None:
    async def cut(connection: ServerConnection, number: int) -> None:
        for event in events(number)[:2]:
            await connection.send(json.dumps(event))
        await connection.close()

    async with server() as at:
        at.answer = cut
        model = at.model()
        with pytest.raises(ModelStreamTruncated, match="final response"):
            await (stream if streamed else ask)(model)
        await model.close()


async def test_a_consumer_that_stops_early_costs_the_socket() -> None:
    async with server() as at:
        model = at.model()
        args, kwargs = request()
        events = model.stream_response(*args, **kwargs)
        assert (await anext(events)).type == "response.created"
        await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]
        assert (await ask(model)).response_id == "resp_2"
        await model.close()
        assert len(at.connections) == 2


async def test_a_consumer_that_stops_at_the_end_keeps_the_socket() -> None:
    async with server() as at:
        model = at.model()
        args, kwargs = request()
        async for event in model.stream_response(*args, **kwargs):
            if event.type == "response.completed":
                break
        assert (await ask(model)).response_id == "resp_2"
        await model.close()
        assert len(at.connections) == 1


async def test_a_cancelled_call_lets_the_next_one_in() -> None:
    asked = asyncio.Event()

    async def never(connection: ServerConnection, number: int) -> None:
        at.answer = reply
        asked.set()

    async with server() as at:
        at.answer = never
        model = at.model()
        waiting = asyncio.ensure_future(ask(model))
        await asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await ask(model)).response_id == "resp_2"
        await model.close()
        assert len(at.connections) == 2


async def test_closing_ends_the_call_in_progress() -> None:
    async def never(connection: ServerConnection, number: int) -> None:
        await model.close()

    async with server() as at:
        at.answer = never
        model = at.model()
        with pytest.raises(ModelRequestError):
            await ask(model)


async def test_closing_while_an_event_is_looked_at_cuts_the_stream() -> None:
    async def begin(connection: ServerConnection, number: int) -> None:
        await connection.send(json.dumps(events(number)[0]))

    async with server() as at:
        at.answer = begin
        model = at.model()
        args, kwargs = request()
        answer = model.stream_response(*args, **kwargs)
        first = await anext(answer)
        await model.close()
        with pytest.raises(ModelStreamTruncated):
            await anext(answer)
        assert first.type == "response.created"
        at.answer = reply
        assert (await ask(model)).response_id == "resp_2"
        await model.close()


async def test_closing_while_it_connects_ends_the_call() -> None:
    connecting = asyncio.Event()

    async with server() as at:
        model = at.model()
        # The handshake is answered only when the model has been closed.
        closed = asyncio.Event()

        async def slowly(connection: ServerConnection) -> None:
            connecting.set()
            await closed.wait()

        at.refuse = slowly  # pyright: ignore[reportAttributeAccessIssue]
        waiting = asyncio.ensure_future(ask(model))
        await connecting.wait()
        await model.close()
        closed.set()
        with pytest.raises(ModelRequestError, match="was closed while") as failed:
            await waiting
        asked = ModelRetryAdviceRequest(error=failed.value, attempt=1, stream=False)
        advice = model.get_retry_advice(asked)
        assert advice
        assert advice.normalized
        assert (advice.suggested, advice.normalized.is_abort) == (False, True)
        assert at.frames == []


async def test_a_call_that_waits_too_long_for_its_turn_was_not_sent() -> None:
    asked, done = asyncio.Event(), asyncio.Event()

    async def slowly(connection: ServerConnection, number: int) -> None:
        asked.set()
        await done.wait()
        await reply(connection, number)

    async with server() as at:
        at.answer = slowly
        timeout = openai.Timeout(5.0, pool=0.05)
        model = OpenAIResponsesWSModel("gpt-5", at.client(timeout=timeout))
        first = asyncio.ensure_future(ask(model))
        await asked.wait()
        with pytest.raises(ModelRequestError, match="lock wait timed out") as late:
            await ask(model, previous_response_id="resp_0")
        told = ModelRetryAdviceRequest(late.value, 1, stream=True, previous_response_id="resp_0")
        advice = model.get_retry_advice(told)
        assert advice
        assert (advice.suggested, advice.replay_safety) == (True, "safe")
        done.set()
        assert (await first).response_id == "resp_1"
        await model.close()


async def test_an_old_socket_is_renewed_without_the_caller() -> None:
    async def once(connection: ServerConnection, number: int) -> None:
        if number > 1:
            await reply(connection, number)
            return
        error = {"type": "x", "code": "websocket_connection_limit_reached", "message": "old"}
        await connection.send(json.dumps({"type": "error", "error": error}))

    async with server() as at:
        at.answer = once
        model = at.model()
        assert (await ask(model)).response_id == "resp_2"
        await model.close()
        assert len(at.connections) == 2


# --- What an endpoint may do wrong. ------------------------------------------------------


async def test_a_refusal_is_an_error_of_ours_and_keeps_the_socket() -> None:
    async def refuse(connection: ServerConnection, number: int) -> None:
        at.answer = reply
        error = {"type": "invalid_request_error", "code": "bad", "message": f"you said {PROMPT}"}
        await connection.send(json.dumps({"type": "error", "status": 400, "error": error}))

    async with server() as at:
        at.answer = refuse
        model = at.model()
        with pytest.raises(ResponsesWebSocketError, match="invalid_request_error") as refused:
            await ask(model)
        assert PROMPT not in str(refused.value)
        assert PROMPT in (refused.value.error_message or "")
        assert (refused.value.code, refused.value.status_code) == ("bad", 400)
        assert isinstance(refused.value, AgentsException)
        assert (await ask(model)).response_id == "resp_2"
        await model.close()
        assert len(at.connections) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(401, ModelAuthError), (429, ModelRateLimited), (500, ModelUnavailable)]
)
async def test_a_refusal_with_a_status_is_of_that_statuss_class(status: int, kind: Any) -> None:
    told = {"type": "error", "status": status, "headers": {"Retry-After": "7"}, "error": {}}
    async with server() as at:
        at.answer = lambda connection, _: connection.send(json.dumps(told))
        model = at.model()
        with pytest.raises(kind) as refused:
            await ask(model)
        assert isinstance(refused.value, ResponsesWebSocketError)
        asked = ModelRetryAdviceRequest(error=refused.value, attempt=1, stream=False)
        advice = model.get_retry_advice(asked)
        assert advice
        assert (advice.suggested, advice.retry_after) == (None if status == 401 else True, 7)
        await model.close()


async def test_a_cancelled_response_is_an_error() -> None:
    told = {"type": "response.cancelled", "response": {"status": "cancelled"}}
    async with server() as at:
        at.answer = lambda connection, _: connection.send(json.dumps(told))
        model = at.model()
        with pytest.raises(ModelBehaviorError, match=r"response\.cancelled"):
            await ask(model)
        await model.close()


async def test_a_failed_response_is_the_same_error_as_over_http() -> None:
    async def fail(connection: ServerConnection, number: int) -> None:
        event = events(number)[-1]
        event["response"] |= {"status": "failed", "error": {"code": "x", "message": "no"}}
        await connection.send(json.dumps({**event, "type": "response.failed"}))

    async with server() as at:
        at.answer = fail
        model = at.model()
        with pytest.raises(ModelBehaviorError, match=r"response\.failed"):
            await ask(model)
        await model.close()


@pytest.mark.parametrize("frame", ["no json", "[1]", "{}", '{"type": 1}', "[" * 100_000, b"\x00"])
async def test_a_message_that_is_no_event_is_an_error_of_ours(frame: Any) -> None:
    async with server() as at:
        at.answer = lambda connection, _: connection.send(frame)
        model = at.model()
        with pytest.raises(ModelReplyMalformed):
            await ask(model)
        await model.close()


async def test_an_event_of_an_unknown_kind_is_passed_over() -> None:
    async def first_new(connection: ServerConnection, number: int) -> None:
        await connection.send(json.dumps({"type": "response.of_next_year", "x": 1}))
        await reply(connection, number)

    async with server() as at:
        at.answer = first_new
        model = at.model()
        assert (await ask(model)).response_id == "resp_1"
        await model.close()


async def test_events_are_bounded_in_size() -> None:
    async def huge(connection: ServerConnection, number: int) -> None:
        await connection.send(json.dumps({"type": "x", "text": "a" * 3000}))

    async with server() as at:
        at.answer = huge
        model = at.model(options={"max_size": 2000})
        with pytest.raises(ModelResponseTooLarge, match="max_size"):
            await ask(model)
        await model.close()


async def test_an_endpoint_that_says_nothing_is_given_up() -> None:
    async with server() as at:
        at.answer = lambda *_: asyncio.sleep(0)
        model = OpenAIResponsesWSModel("gpt-5", at.client(timeout=openai.Timeout(5.0, read=0.05)))
        with pytest.raises(ModelRequestError, match="receive timed out") as late:
            await ask(model)
        assert isinstance(late.value, openai.APITimeoutError)
        await model.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
        (307, openai.APIStatusError),
    ],
)
async def test_a_refused_handshake_is_the_error_of_its_status(status: int, kind: Any) -> None:
    def refuse(connection: ServerConnection) -> Response:
        response = connection.respond(status, "no")
        response.headers["Location"] = elsewhere.url
        response.headers["Retry-After"] = "7"
        return response

    async with server() as at, server() as elsewhere:
        at.refuse = refuse
        model = at.model()
        with pytest.raises(kind) as refused:
            await ask(model)
        assert isinstance(refused.value, ModelRequestError)
        assert isinstance(refused.value, ModelAuthError) == (status == 401)
        assert refused.value.status_code == status
        asked = ModelRetryAdviceRequest(error=refused.value, attempt=1, stream=False)
        advice = model.get_retry_advice(asked)
        assert (advice.retry_after if advice else None) == 7
        assert elsewhere.connections == []


async def test_an_address_where_nobody_listens_is_an_error_of_ours() -> None:
    async with server() as at:
        pass
    with pytest.raises(ModelRequestError, match="did not connect"):
        await ask(at.model())


async def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.asyncio.client", None)
    client = openai.AsyncOpenAI(api_key="k", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(UserError, match=r"'\.\[websocket\]'"):
        await ask(OpenAIResponsesWSModel("gpt-5", client))


@pytest.mark.parametrize(
    ("frames", "stateful", "suggested", "safety"),
    [(0, True, False, "unsafe"), (0, False, True, None), (1, False, False, "unsafe")],
)
async def test_advice_says_how_far_the_request_had_come(
    frames: int, stateful: bool, suggested: bool, safety: str | None
) -> None:
    async def silent(connection: ServerConnection, number: int) -> None:
        for event in events(number)[:frames]:
            await connection.send(json.dumps(event))

    async with server() as at:
        at.answer = silent
        model = OpenAIResponsesWSModel("gpt-5", at.client(timeout=openai.Timeout(5.0, read=0.05)))
        with pytest.raises(ModelRequestError) as late:
            await ask(model)
        previous = "resp_0" if stateful else None
        asked = ModelRetryAdviceRequest(late.value, 1, stream=True, previous_response_id=previous)
        advice = model.get_retry_advice(asked)
        await model.close()
    assert advice
    assert (advice.suggested, advice.replay_safety) == (suggested, safety)
    assert advice.response_started == bool(frames)


# --- Sessions. ---------------------------------------------------------------------------


async def test_a_session_runs_over_one_socket_and_closes_it() -> None:
    async with server() as at:
        address = {"api_key": "k", "base_url": at.url}
        async with responses_websocket_session(**address) as session:
            agent = Agent(name="Clerk", model="gpt-5")
            first = await session.run(agent, "Hello")
            second = session.run_streamed(agent, "And?", previous_response_id="resp_1")
            kinds = [event.type async for event in second.stream_events()]
            assert (first.final_output, second.final_output) == ("hi", "hi")
            assert "raw_response_event" in kinds
            assert (len(at.connections), at.closed.is_set()) == (1, False)
        await asyncio.wait_for(at.closed.wait(), 60)


async def test_a_session_made_by_hand_closes_its_socket() -> None:
    async with server() as at:
        provider = OpenAIProvider(
            api_key="k", base_url=at.url, use_responses=True, use_responses_websocket=True
        )
        session = ResponsesWebSocketSession(provider, {})
        result = await session.run(Agent(name="Clerk", model="gpt-5"), "Hello")
        assert (result.final_output, at.closed.is_set()) == ("hi", False)
        await session.aclose()
        await asyncio.wait_for(at.closed.wait(), 60)
        await session.aclose()


async def test_a_sessions_run_takes_no_settings_of_its_own() -> None:
    async with responses_websocket_session(api_key="k") as session:
        agent = Agent(name="Clerk")
        with pytest.raises(ValueError, match="run_config"):
            await session.run(agent, "Hello", run_config=RunConfig())
        with pytest.raises(ValueError, match="run_config"):
            session.run_streamed(agent, "Hello", run_config=None)


def test_a_session_needs_settings_that_use_its_provider() -> None:
    routes = MultiProvider(openai_api_key="k")
    with pytest.raises(ValueError, match="another OpenAIProvider"):
        ResponsesWebSocketSession(OpenAIProvider(api_key="k"), {"model_provider": routes})
    other = OpenAIProvider(api_key="k")
    with pytest.raises(TypeError, match="MultiProvider"):
        ResponsesWebSocketSession(other, RunConfig(model_provider=other))


# --- A provider that fails in every way that there is. --------------------------------------

CANARY = "sk-canary-err"
"""Stands in every error text that the provider sends."""


@pytest.mark.slow
async def test_every_faulty_stream_ends_in_an_answer_or_in_an_error_of_ours() -> None:
    config = RunConfig(journal="memory", model_limits=ModelLimits(total=30))
    ended: dict[str, str] = {}
    errors: list[str] = []
    options = {"max_retries": 0, "timeout": openai.Timeout(10.0, read=4.0)}

    async def run(name: str) -> None:
        model = OpenAIResponsesWSModel(f"fault:{name}", client)
        try:
            result = await Runner.run(Agent("Clerk", model=model), "Hi", run_config=config)
            ended[name] = str(result.final_output)
        except AgentsException as error:
            ended[name] = type(error).__name__
            errors.append(str(error))
        await model.close()

    faults = [fault for fault in faults_for("responses", stream=True) if fault.kind != "reply"]
    # What is huge holds up everything else that this process does; sizes have a test of their own.
    faults = [fault for fault in faults if not re.search("huge|bomb|deep", fault.name)]
    async with ScriptedProvider() as provider, provider.client(**options) as client:
        for n in range(0, len(faults), 50):
            await asyncio.gather(*(run(fault.name) for fault in faults[n : n + 50]))
    assert len(ended) == len(faults) > 100
    assert ended["s_comments"] == "hello there, world"
    assert {ended[name] for name in ("s_rst", "s_fin_cut")} == {"ModelStreamTruncated"}
    assert {ended[name] for name in ("s_hang", "hang_headers")} == {"ModelDeadlineExceeded"}
    assert ended["http_401"] == "ModelAuthError"
    assert not [error for error in errors if CANARY in error]
