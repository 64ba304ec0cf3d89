"""How clients may be used: in many loops, cancelled, and pointed at the wrong address."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import traceback
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from outlast import (
    Agent,
    ModelReplyMalformed,
    ModelUnavailable,
    OpenAIChatCompletionsModel,
    OpenAIProvider,
    OpenAIResponsesModel,
    OpenAIResponsesWSModel,
    RunConfig,
    Runner,
    UserError,
)
from outlast.core.events import RunCancelled
from outlast.journal.memory import MemoryJournal
from outlast.models import provider as providers
from outlast.models.client_per_loop import in_this_loop
from outlast.models.event_stream import let_go
from outlast.testing import assistant_message
from outlast.testing.provider import ScriptedProvider, fault

OFF = RunConfig(journal="off")
MODELS = pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


# --- Many loops. -------------------------------------------------------------------------


def said_in_many_loops(url: str, kind: Callable[..., Any]) -> list[object]:
    client = AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
    agent = Agent(name="Ada", model=kind("m", client))
    said: list[object] = []

    def ask() -> None:
        said.extend(Runner.run_sync(agent, "hi", run_config=OFF).final_output for _ in range(3))

    ask()
    said.extend(asyncio.run(Runner.run(agent, "hi", run_config=OFF)).final_output for _ in range(2))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


# Its connections end with their loops, where nobody can close them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@MODELS
def test_one_client_serves_threads_and_one_loop_after_the_other(
    provider: ScriptedProvider, kind: Callable[..., Any]
):
    said = said_in_many_loops(provider.base_url, kind)
    assert len(said) == 3 + 2 + 12
    assert len(set(said)) == 1
    gc.collect()  # The client keeps the first loop, and nobody keeps the client any more.


# Loops that others have left behind may be collected in here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_each_loop_has_connections_of_its_own_as_long_as_it_lives():
    client = DefaultAsyncHttpxClient(headers={"x-mine": "yes"})

    async def own() -> Any:
        found: Any = in_this_loop(client, httpx2.AsyncClient)
        assert in_this_loop(client, httpx2.AsyncClient)._transport is found._transport
        return found

    first, second, third = (asyncio.run(own()) for _ in range(3))
    assert first is client
    assert {each.headers["x-mine"] for each in (second, third)} == {"yes"}
    assert len({id(each._transport._pool) for each in (first, second, third)}) == 3
    loop = asyncio.new_event_loop()
    pool = weakref.ref(loop.run_until_complete(own())._transport._pool)
    assert pool() is not None
    loop.close()
    del loop
    gc.collect()
    assert pool() is None


def test_a_transport_of_ones_own_in_a_second_loop_is_a_mistake_that_is_named():
    class Bound(httpx2.AsyncBaseTransport):
        loop: Any = None

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            self.loop = self.loop or asyncio.get_running_loop()
            if self.loop is not asyncio.get_running_loop():
                raise RuntimeError("<Event> is bound to a different event loop")
            return httpx2.Response(500, request=request)

    http = httpx2.AsyncClient(transport=Bound())
    client = AsyncOpenAI(api_key="k", base_url="http://here/v1", http_client=http, max_retries=0)
    agent = Agent(name="Ada", model=OpenAIResponsesModel("m", client))
    with pytest.raises(ModelUnavailable):
        asyncio.run(Runner.run(agent, "hi", run_config=OFF))
    with pytest.raises(UserError, match="two event loops"):
        asyncio.run(Runner.run(agent, "hi", run_config=OFF))


def test_an_agent_that_has_run_is_kept_by_nobody(provider: ScriptedProvider):
    async def ran() -> list[weakref.ref[Any]]:
        async with AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            agents = [_pair(OpenAIResponsesModel("m", client)) for _ in range(3)]
            for agent in agents:
                await Runner.run(agent, "hi", run_config=OFF)
            return [weakref.ref(agent) for agent in agents]

    agents = asyncio.run(ran())
    gc.collect()
    assert [agent() for agent in agents] == [None] * 3


def _pair(model: Any) -> Agent[Any]:
    """Two agents that hand over to each other."""
    other = Agent[Any](name="Bob", model=model)
    agent = Agent[Any](name="Ada", model=model, handoffs=[other])
    other.handoffs.append(agent)
    return agent


# --- The wrong address. ------------------------------------------------------------------


async def _failure(base_url: str, kind: type[Exception], fault_name: str = "m") -> str:
    client = AsyncOpenAI(api_key="k", base_url=base_url, max_retries=0)
    model = OpenAIResponsesModel(fault_name, client)
    with pytest.raises(kind) as caught:
        await Runner.run(Agent(name="Ada", model=model), "hi", run_config=OFF)
    return str(caught.value)


async def test_a_refused_connection_is_named_with_its_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = await _failure(f"http://127.0.0.1:{port}/v1", ModelUnavailable)
    assert f"(127.0.0.1:{port}, Connection refused)" in said


async def _streamed(*args: Any, **more: Any) -> None:
    async for _ in Runner.run_streamed(*args, **more).stream_events():
        pass


@MODELS
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_key_that_no_header_can_have_is_refused_and_not_shown(kind: Any, is_streamed: bool):
    client = AsyncOpenAI(api_key="secret\u2013key", base_url="http://127.0.0.1:9/v1", max_retries=0)
    agent, journal = Agent(name="Ada", model=kind("m", client)), MemoryJournal()
    config = RunConfig(journal=journal, tracing_disabled=True)
    with pytest.raises(
        UserError, match=r"^The API key of this client has the character U\+2013"
    ) as it:
        await (_streamed if is_streamed else Runner.run)(agent, "hi", run_id="r", run_config=config)
    shown = "".join(traceback.format_exception(it.value)) + repr(it.value.__context__)
    assert "secret" not in shown + repr(await journal.read("r"))


@pytest.mark.parametrize(
    "kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel, OpenAIResponsesWSModel]
)
@pytest.mark.parametrize(
    "key", ["secret\n", "secret ", "secret\r\nx: y", "sec\0secret", "s\u00e9cret"]
)
async def test_a_key_with_what_no_header_can_have_is_the_programs_mistake(kind: Any, key: str):
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    client = AsyncOpenAI(api_key=key, base_url=url, max_retries=0)
    agent = Agent(name="Ada", model=kind("m", client))
    async with server, client:
        with pytest.raises(UserError, match=r"^The API key of this client ") as it:
            await Runner.run(agent, "hi", run_config=OFF)
    chain, error = "".join(traceback.format_exception(it.value)), it.value.__context__
    while error is not None:
        chain, error = chain + repr(error), error.__context__
    assert "cret" not in chain
    assert b"".join(asked) == b""


async def test_a_header_that_cannot_be_sent_is_refused_as_one():
    client = AsyncOpenAI(
        api_key="k", base_url="http://127.0.0.1:9/v1", default_headers={"x-team": "caf\u00e9"}
    )
    agent = Agent(name="Ada", model=OpenAIResponsesModel("m", client))
    with pytest.raises(UserError, match=r"^A header of this request has the character U\+00E9"):
        await Runner.run(agent, "hi", run_config=OFF)


async def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch):
    async def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    said = await _failure("http://nowhere.invalid/v1", ModelUnavailable)
    assert "(nowhere.invalid, the host's name cannot be resolved)" in said


@pytest.mark.parametrize("base_url", ["localhost", "/v1", "http://"])
async def test_a_base_url_without_a_host_is_the_programs_mistake(base_url: str):
    assert "OPENAI_BASE_URL" in await _failure(base_url, UserError)


async def test_a_web_page_is_no_answer(provider: ScriptedProvider):
    said = await _failure(provider.base_url, ModelReplyMalformed, "fault:html_200")
    assert "web page" in said
    assert "/v1" in said


def test_a_proxy_that_cannot_be_used_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(providers, "_http_clients", [])
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:hidden@127.0.0.1:1")
    with pytest.raises(UserError, match="HTTPS_PROXY") as caught:
        OpenAIProvider(api_key="k").get_model("m")
    assert "hidden" not in str(caught.value)


# --- Cancelled. --------------------------------------------------------------------------


@MODELS
async def test_a_run_whose_reader_is_cancelled_can_be_resumed(kind: Callable[..., Any]):
    journal = MemoryJournal()
    config = RunConfig(journal=journal, on_abandon="leave")
    steps = [fault("s_hang"), [assistant_message("Here I am.")]]
    async with ScriptedProvider(steps) as provider:
        agent = Agent(name="Ada", model=kind("m", provider.client()))
        began = asyncio.Event()

        async def read() -> None:
            result = Runner.run_streamed(agent, "hi", run_id="r", run_config=config)
            async for event in result.stream_events():
                if event.type == "raw_response_event":
                    began.set()

        before = asyncio.all_tasks()
        reading = asyncio.create_task(read())
        await asyncio.wait_for(began.wait(), 60)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await _until(lambda: asyncio.all_tasks() <= before)
        assert not any(isinstance(each.event, RunCancelled) for each in await journal.read("r"))
        result = await Runner.resume("r", agent, run_config=config)
        assert result.final_output == "Here I am."
        assert len(provider.requests) == 2


async def test_a_run_that_is_given_up_stays_so():
    journal = MemoryJournal()
    async with ScriptedProvider([fault("s_hang")]) as provider:
        agent = Agent(name="Ada", model=OpenAIResponsesModel("m", provider.client()))
        config = RunConfig(journal=journal)
        result = Runner.run_streamed(agent, "hi", run_id="r", run_config=config)
        events: AsyncIterator[Any] = result.stream_events()
        while (await anext(events)).type != "raw_response_event":
            pass
        result.cancel()
        assert [event async for event in events] == []
    assert isinstance((await journal.read("r"))[-1].event, RunCancelled)


async def test_who_is_cancelled_does_not_wait_for_a_slow_close():
    may_close, closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        await may_close.wait()
        closed.set()

    async def use() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let_go(close)

    using = asyncio.create_task(use())
    await asyncio.sleep(0)
    using.cancel()
    await asyncio.wait_for(asyncio.wait([using]), 60)
    assert using.cancelled()
    may_close.set()
    await asyncio.wait_for(closed.wait(), 60)


async def _until(holds: Callable[[], bool]) -> None:
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    async with asyncio.timeout(60):
        while not holds():
            await wait(0.01)
