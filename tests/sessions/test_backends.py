"""What holds of every session, wherever it keeps its items."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.sessions.backends import EVERY_BACKEND, LOCAL, Backend, opened

from outlast import Agent, Runner, SessionSettings, function_tool
from outlast.sessions.rewriting import rewrites_in_one_step
from outlast.sessions.session import Session
from outlast.testing import ScriptedModel, assistant_message, function_call


@pytest.fixture(params=EVERY_BACKEND)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Backend]:
    async with opened(request.param, tmp_path) as store:
        yield store


def said(*texts: str) -> list[Any]:
    return [{"role": "user", "content": text} for text in texts]


NESTED: list[Any] = [
    {"role": "user", "content": 'grüß\' "Gott"; 東京 \U0001f600\n\t\\'},
    {"type": "new_kind", "nested": {"a": [None, 1.5, True, {"b": {}}]}, "unknown": "field"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ""}]},
]


async def test_items_come_back_as_they_were_in_their_order(backend: Backend):
    session = backend.open()
    before = copy.deepcopy(NESTED)
    await session.add_items(NESTED[:2])
    await session.add_items([])
    await session.add_items(NESTED[2:])
    assert await session.get_items() == before
    assert before == NESTED
    assert isinstance(session, Session)


async def test_another_object_sees_what_one_has_written_and_other_sessions_do_not(
    backend: Backend,
):
    await backend.open("a").add_items(said("one"))
    await backend.open("a").add_items(said("two"))
    await backend.open("b").add_items(said("other"))
    assert await backend.open("a").get_items() == said("one", "two")
    await backend.open("a").clear_session()
    assert await backend.open("a").get_items() == []
    assert await backend.open("b").get_items() == said("other")


async def test_a_limit_gives_the_newest_items_oldest_first(backend: Backend):
    await backend.open().add_items(said("1", "2", "3", "4"))
    session = backend.open(session_settings=SessionSettings(limit=3))
    assert await session.get_items() == said("2", "3", "4")
    assert await session.get_items(2) == said("3", "4")
    assert await session.get_items(0) == []
    assert await session.get_items(99) == said("1", "2", "3", "4")


async def test_items_are_taken_off_the_end_until_there_are_none(backend: Backend):
    session = backend.open()
    assert await session.pop_item() is None
    await session.add_items(said("1", "2"))
    await session.add_items(said("3"))
    assert [await session.pop_item() for _ in range(4)] == [*said("3", "2", "1"), None]
    assert await session.get_items() == []
    await session.add_items(said("again"))
    assert await session.get_items() == said("again")


async def test_clearing_what_is_empty_is_no_error(backend: Backend):
    session = backend.open()
    await session.clear_session()
    await session.add_items(said("1"))
    await session.clear_session()
    await session.clear_session()
    assert await session.get_items() == []


async def test_ten_writers_at_once_lose_nothing_and_mix_no_batch(backend: Backend):
    sessions = [backend.open() for _ in range(10)]
    batches = [said(f"{n}a", f"{n}b", f"{n}c") for n in range(10)]
    await asyncio.gather(
        *(session.add_items(batch) for session, batch in zip(sessions, batches, strict=True))
    )
    found = await sessions[0].get_items()
    assert len(found) == 30
    chunks = [found[n : n + 3] for n in range(0, 30, 3)]
    assert sorted(chunks, key=str) == sorted(batches, key=str)


async def test_every_item_is_taken_by_one_of_many(backend: Backend):
    await backend.open().add_items(said(*map(str, range(12))))
    sessions = [backend.open() for _ in range(6)]
    taken = await asyncio.gather(*(session.pop_item() for session in sessions for _ in range(3)))
    texts = [item["content"] for item in taken if item]
    assert sorted(texts, key=int) == [str(n) for n in range(12)]


async def test_an_item_that_cannot_be_kept_leaves_none_of_its_batch(backend: Backend):
    if backend.name.startswith("encrypted"):
        return  # It writes what it cannot encode as text, as openai-agents does.
    session = backend.open()
    with pytest.raises(TypeError):
        await session.add_items([*said("fine"), {"role": "user", "content": object()}])
    assert await session.get_items() == []


@pytest.mark.parametrize("wrong", [None, "text", 5, said("a")[0], [None], ["text"]])
async def test_what_is_no_list_of_items_is_refused_and_nothing_is_kept(
    backend: Backend, wrong: Any
):
    session = backend.open()
    await session.add_items(said("fine"))
    with pytest.raises(TypeError, match=r"takes a list|are dicts"):
        await session.add_items(wrong)
    assert await session.get_items() == said("fine")


async def test_a_cancelled_write_is_whole_or_nothing(backend: Backend):
    session = backend.open()
    await session.add_items(said("first"))
    for round_number in range(8):
        batch = said(f"{round_number}a", f"{round_number}b")
        before = await session.get_items()
        task = asyncio.create_task(session.add_items(batch))
        for _ in range(round_number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await session.get_items() in (before, [*before, *batch])
    await session.add_items(said("last"))
    assert (await session.get_items())[-1:] == said("last")


async def test_an_item_of_a_megabyte_comes_back(backend: Backend):
    items = said("x" * 1024 * 1024)
    session = backend.open()
    await session.add_items(items)
    assert await session.get_items(1) == items


async def test_what_is_given_out_is_the_callers_own(backend: Backend):
    session = backend.open()
    items = said("mine")
    await session.add_items(items)
    items[0]["content"] = "changed"
    found = await session.get_items()
    found[0]["content"] = "changed"
    assert await session.get_items() == said("mine")


async def test_a_run_saves_each_turn_and_the_next_run_reads_it(backend: Backend):
    @function_tool
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel(
        [
            [function_call("look", {}, call_id="c1")],
            [assistant_message("done")],
            [assistant_message("again")],
        ]
    )
    agent = Agent(name="a", model=model, tools=[look])
    result = await Runner.run(agent, "hello", session=backend.open())
    found = await backend.open().get_items()
    kinds = [item.get("type") or item["role"] for item in found]
    assert kinds == ["user", "function_call", "function_call_output", "message"]
    assert found == result.to_input_list()
    await Runner.run(agent, "more", session=backend.open())
    assert [item.get("call_id") for item in model.calls[-1].input][:4] == [None, "c1", "c1", None]
    assert len(await backend.open().get_items()) == 6


async def test_a_closed_session_refuses_to_work(backend: Backend):
    session = backend.open()
    await session.add_items(said("1"))
    if not hasattr(type(session), "close"):
        return  # Its engine, or the session that it wraps, is the caller's to close.
    if (closing := session.close()) is not None:
        await closing
    for call in (session.get_items(), session.add_items(said("2")), session.pop_item()):
        with pytest.raises(RuntimeError, match="closed"):
            await call


async def test_items_are_replaced_in_one_step_whoever_writes_meanwhile(backend: Backend):
    first = backend.open()
    assert rewrites_in_one_step(getattr(first, "underlying_session", first))
    await first.add_items(said("first"))

    async def add(writer: int) -> None:
        session = backend.open()
        for number in range(5):
            await session.add_items(said(f"{writer}.{number}"))

    async def replace() -> None:
        session = backend.open()
        for _ in range(5):
            await session.rewrite_items(lambda items: [dict(item) for item in items])

    async with asyncio.TaskGroup() as group:
        for writer in range(3):
            group.create_task(add(writer))
        group.create_task(replace())
        group.create_task(replace())
    texts = [item["content"] for item in await backend.open().get_items()]
    own = [[text for text in texts if text.startswith(f"{writer}.")] for writer in range(3)]
    assert own == [[f"{writer}.{number}" for number in range(5)] for writer in range(3)]
    assert (texts.count("first"), len(texts)) == (1, 16)


@pytest.mark.parametrize("name", LOCAL)
async def test_a_limit_below_zero_gives_all_items_as_in_sqlite(name: str, tmp_path: Path):
    async with opened(name, tmp_path) as store:
        session = store.open()
        await session.add_items(said("1", "2"))
        assert await session.get_items(-1) == said("1", "2")
