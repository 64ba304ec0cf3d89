"""A run that dies anywhere, with a session on every backend: afterwards the session is what it would be."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.sessions.backends import EVERY_BACKEND, opened

from outlast import Agent, RunConfig, Runner, SQLiteSession, StorageFull, function_tool
from outlast.journal import MemoryJournal
from outlast.testing import (
    CrashingJournal,
    ModelStep,
    ScriptedModel,
    assistant_message,
    function_call,
)

WHOLE = ["hello", "c0", "c1", "c0", "c1", "msg_1"]


@function_tool
def look(at: int) -> str:
    """Look."""
    return f"seen {at}"


class Model(ScriptedModel):
    """Looks twice at once, and then says so; whoever asks, and however often."""

    async def get_response(self, *args: Any, **options: Any) -> Any:
        output: Any = [function_call("look", {"at": n}, call_id=f"c{n}") for n in range(2)]
        if args[1][-1].get("type") == "function_call_output":
            output = [assistant_message("done", item_id="msg_1")]
        self.enqueue(ModelStep(output=output))
        return await super().get_response(*args, **options)


class Dead(CrashingJournal):
    """A journal whose process dies at an append: nothing is written from then on."""

    def __init__(self, inner: Any, at: int, moment: Any) -> None:
        super().__init__(inner, at=at, moment=moment, crash=self._die)
        self.is_dead = False

    def append(self, lease: Any, events: Any, *, barrier: bool = True) -> Any:
        if self.is_dead:
            raise StorageFull("The process is dead.")
        return super().append(lease, events, barrier=barrier)

    def _die(self) -> None:
        self.is_dead = True
        raise StorageFull("The process dies.")


def kinds(items: list[Any]) -> list[Any]:
    return [item.get("call_id") or item.get("id") or item.get("content") for item in items]


async def run(journal: Any, session: Any, run_id: str = "r") -> None:
    agent = Agent(name="clerk", model=Model(), tools=[look])
    config = RunConfig(journal=journal)
    await Runner.run(agent, "hello", session=session, run_id=run_id, run_config=config)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", EVERY_BACKEND)
async def test_a_run_that_died_anywhere_leaves_the_session_of_one_that_did_not(
    name: str, moment: Any, tmp_path: Path
):
    async with opened(name, tmp_path) as backend:
        for point in range(1, 60):
            journal = MemoryJournal()
            dead = Dead(journal, point, moment)
            try:
                await run(dead, backend.open(f"s{point}"))
            except StorageFull:
                dead.is_dead = True
                await run(journal, backend.open(f"s{point}"))
            assert kinds(await backend.open(f"s{point}").get_items()) == WHOLE, point
            if not dead.is_dead:
                return
    pytest.fail("The run has no end.")


class Failing:
    """A session that fails at its n-th write, before or after it has written: its answer is lost."""

    def __init__(self, inner: Any, at: int, *, is_written: bool) -> None:
        self.session_id = inner.session_id
        self.get_items = inner.get_items
        self.pop_item = inner.pop_item
        self.clear_session = inner.clear_session
        self._inner, self._at, self._is_written, self._count = inner, at, is_written, 0

    async def add_items(self, items: Any) -> None:
        self._count += 1
        if self._count != self._at:
            return await self._inner.add_items(items)
        if self._is_written:
            await self._inner.add_items(items)
        raise ConnectionError("the answer is lost")


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("name", EVERY_BACKEND)
async def test_a_session_that_failed_anywhere_is_written_once(
    name: str, is_written: bool, tmp_path: Path
):
    async with opened(name, tmp_path) as backend:
        for point in range(1, 4):
            session: Any = Failing(backend.open(f"s{point}"), point, is_written=is_written)
            journal = MemoryJournal()
            with pytest.raises(ConnectionError):
                await run(journal, session)
            agent = Agent(name="clerk", model=Model(), tools=[look])
            config = RunConfig(journal=journal)
            await Runner.resume("r", agent, session=session, run_config=config)
            assert kinds(await session.get_items()) == WHOLE, point


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("name", EVERY_BACKEND)
async def test_what_other_runs_said_alike_is_not_taken_for_what_a_run_wrote(
    name: str, is_written: bool, tmp_path: Path
):
    """Two of three equal runs lose the answer of their n-th write, and go on in either order."""
    async with opened(name, tmp_path) as backend:
        for first, other, order in itertools.product(range(1, 4), range(5), ([0, 1], [1, 0])):
            session, journal = backend.open(f"s{first}{other}{order}"), MemoryJournal()
            agent = Agent(name="clerk", model=Model(), tools=[look])
            config = RunConfig(journal=journal)
            await run(journal, session, "before")
            for number, point in enumerate((first, other)):
                failing: Any = Failing(session, point, is_written=is_written)
                with contextlib.suppress(ConnectionError):
                    await run(journal, failing, str(number))
            await run(journal, session, "after")
            for number in order:
                await Runner.resume(str(number), agent, session=session, run_config=config)
            assert sorted(kinds(await session.get_items())) == sorted(WHOLE * 4), (first, other)


@pytest.mark.parametrize("name", EVERY_BACKEND)
async def test_a_run_of_another_session_of_that_id_changes_nothing(name: str, tmp_path: Path):
    async with opened(name, tmp_path) as backend:
        session: Any = Failing(backend.open("s"), 2, is_written=True)
        journal = MemoryJournal()
        with pytest.raises(ConnectionError):
            await run(journal, session)
        await run(journal, SQLiteSession("s"), "other")
        agent = Agent(name="clerk", model=Model(), tools=[look])
        await Runner.resume("r", agent, session=session, run_config=RunConfig(journal=journal))
        assert kinds(await session.get_items()) == WHOLE


@pytest.mark.parametrize("name", EVERY_BACKEND)
async def test_runs_that_write_one_session_keep_their_order(name: str, tmp_path: Path):
    async with opened(name, tmp_path) as backend:

        class Own(ScriptedModel):
            def __init__(self, number: int) -> None:
                super().__init__()
                self.number = number

            async def get_response(self, *args: Any, **options: Any) -> Any:
                await asyncio.sleep(0)
                call = function_call("look", {"at": 1}, call_id=f"c{self.number}")
                own = [item for item in args[1] if item.get("call_id") == f"c{self.number}"]
                last = assistant_message("done", item_id=f"m{self.number}")
                self.enqueue(ModelStep(output=[last if len(own) == 2 else call]))
                return await super().get_response(*args, **options)

        async def one(number: int) -> None:
            agent = Agent(name="clerk", model=Own(number), tools=[look])
            config = RunConfig(journal="off")
            await Runner.run(agent, f"u{number}", session=backend.open(), run_config=config)

        await asyncio.gather(*map(one, range(4)))
        found = kinds(await backend.open().get_items())
        for number in range(4):
            own = [f"u{number}", f"c{number}", f"c{number}", f"m{number}"]
            assert [each for each in found if each in own] == own
        assert len(found) == 16
