"""Whatever is missing from a session, the next run is one that a provider takes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from outlast import (
    Agent,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
)
from outlast.testing import ModelStep, assistant_message, function_call
from outlast.testing.provider import ScriptedProvider, reasoning

MODELS = {"responses": OpenAIResponsesModel, "chat": OpenAIChatCompletionsModel}


@function_tool
def look(at: int) -> str:
    """Look."""
    return f"seen {at}"


def calling(*numbers: int) -> list[Any]:
    return [
        function_call("look", {"at": n}, call_id=f"call_{n}", item_id=f"fc_{n}") for n in numbers
    ]


def steps() -> Iterator[ModelStep]:
    """Replies of a model that thinks: calls alone and side by side, with a word before them."""
    outputs: list[list[Any]] = [
        [reasoning("a", item_id="rs_1"), *calling(1, 2)],
        [reasoning("b", item_id="rs_2"), *calling(3)],
        [reasoning("c", item_id="rs_3"), assistant_message("first", item_id="msg_1")],
        [
            assistant_message("a moment", item_id="msg_2"),
            reasoning("d", item_id="rs_4"),
            *calling(4),
        ],
        [assistant_message("second", item_id="msg_3")],
    ]
    yield from (ModelStep(output=output) for output in outputs)
    while True:
        yield ModelStep(output=[assistant_message("still here", item_id="msg_9")])


class Conversation:
    """A conversation that a provider has taken part in, and runs that go on with parts of it."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._client = provider.client(max_retries=0)
        self.items: list[Any] = []

    async def record(self) -> None:
        session = SQLiteSession("s")
        for text in ("one", "two"):
            await self._run("responses", text, session)
        self.items = await session.get_items()
        session.close()

    async def goes_on(
        self, api: str, items: Sequence[Any], limit: int | None = None, *, streamed: bool = False
    ) -> None:
        """Run once more. The provider refuses what OpenAI would refuse."""
        session = SQLiteSession("s", session_settings={"limit": limit})
        await session.add_items(list(items))
        result = await self._run(api, "and now?", session, streamed=streamed)
        assert result.final_output == "still here"
        session.close()

    def model(self, api: str) -> Model:
        """What speaks to the provider."""
        return MODELS[api]("gpt-5", self._client)

    async def _run(self, api: str, text: str, session: Any, *, streamed: bool = False) -> Any:
        agent = Agent(name="clerk", model=self.model(api), tools=[look])
        config = RunConfig(journal="off")
        if not streamed:
            return await Runner.run(agent, text, session=session, run_config=config)
        result = Runner.run_streamed(agent, text, session=session, run_config=config)
        async for _ in result.stream_events():
            pass
        return result


@pytest.fixture
async def conversation() -> Any:
    async with ScriptedProvider(itertools.islice(steps(), 2000)) as provider:
        known = Conversation(provider)
        await known.record()
        yield known


def without(items: Sequence[Any], places: Iterable[int]) -> list[Any]:
    gone = set(places)
    return [item for place, item in enumerate(items) if place not in gone]


async def test_the_recorded_conversation_has_everything(conversation: Conversation):
    kinds = [item.get("type", "message") for item in conversation.items]
    assert kinds.count("reasoning") == 4
    assert kinds.count("function_call") == kinds.count("function_call_output") == 4


@pytest.mark.parametrize("api", MODELS)
async def test_any_one_item_may_be_missing(conversation: Conversation, api: str):
    for place in range(len(conversation.items)):
        await conversation.goes_on(api, without(conversation.items, [place]))


@pytest.mark.parametrize("api", MODELS)
async def test_it_may_be_cut_anywhere(conversation: Conversation, api: str):
    for place in range(len(conversation.items)):
        await conversation.goes_on(api, conversation.items[place:])
        await conversation.goes_on(api, conversation.items[:place])
        await conversation.goes_on(api, conversation.items, limit=place)


@pytest.mark.slow
@pytest.mark.parametrize("api", MODELS)
async def test_any_two_items_may_be_missing(conversation: Conversation, api: str):
    for places in itertools.combinations(range(len(conversation.items)), 2):
        await conversation.goes_on(api, without(conversation.items, places))


@pytest.mark.parametrize("api", MODELS)
async def test_items_may_stand_twice_or_in_another_order(conversation: Conversation, api: str):
    items = conversation.items
    for place in range(len(items) - 1):
        await conversation.goes_on(api, [*items[: place + 1], *items[place:]])
        swapped = [*items[:place], items[place + 1], items[place], *items[place + 2 :]]
        await conversation.goes_on(api, swapped)


@settings(max_examples=40, deadline=None)
@given(gone=st.sets(st.integers(0, 15)), api=st.sampled_from(sorted(MODELS)))
def test_any_items_may_be_missing(gone: set[int], api: str):
    async def run() -> None:
        async with ScriptedProvider(itertools.islice(steps(), 10)) as provider:
            known = Conversation(provider)
            await known.record()
            await known.goes_on(api, without(known.items, gone))

    asyncio.run(run())


@pytest.mark.parametrize("streamed", [False, True])
async def test_reasoning_that_the_provider_alone_misses_is_left_out(
    conversation: Conversation, streamed: bool
):
    # A whole call and the reasoning of the message after it: what is left looks as if it belonged.
    left = [item for item in conversation.items if item.get("id") != "rs_3"]
    left = [item for item in left if item.get("call_id") != "call_3"]
    assert [item.get("id") for item in left if item.get("id")][3:5] == ["rs_2", "msg_1"]
    await conversation.goes_on("responses", left, streamed=streamed)
