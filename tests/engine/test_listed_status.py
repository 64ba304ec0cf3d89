"""The list of runs says of each what its log says, after every append and wherever a process dies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, RunParked, function_tool
from outlast.core.evolve import fold
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.testing import CrashingJournal, ScriptedModel, assistant_message, function_call
from outlast.views.status import status

DOWN = ConnectionError("no route to host")
END = [assistant_message("done")]


class Watched(CrashingJournal):
    """A journal that compares its list with the log after each append."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.words: list[str] = []
        self.is_asked = asyncio.Event()

    async def append(self, lease: Any, events: Any, *, barrier: bool = True) -> None:
        await self.inner.append(lease, events, barrier=barrier)
        log = fold([each.event for each in await self.inner.read(lease.run_id)])
        listed = {row.run_id: row.status for row in await self.inner.runs()}
        assert listed[lease.run_id] == status(log)
        if log.requested:
            self.is_asked.set()
        if not self.words or self.words[-1] != listed[lease.run_id]:
            self.words.append(listed[lease.run_id])

    def take(self) -> list[str]:
        """Return the words since the last time."""
        words, self.words = self.words, []
        return words


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request, tmp_path):
    inner = MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "j.db")
    yield Watched(inner)
    await inner.close()


async def test_a_run_waits_for_a_person_as_soon_as_its_other_calls_are_answered(journal):
    @function_tool
    async def look() -> str:
        """Look."""
        await journal.is_asked.wait()
        return "seen"

    @function_tool(needs_approval=True)
    async def pay() -> str:
        """Pay."""
        return "paid"

    calls = [function_call("pay", {}, call_id="p"), function_call("look", {}, call_id="l")]
    agent = Agent(name="desk", model=ScriptedModel([calls, END]), tools=[look, pay])
    config = RunConfig(journal=journal)
    await Runner.run(agent, "go", run_id="r", run_config=config)
    assert journal.take() == ["running", "waiting"]
    await Runner.approve("r", "p", run_config=config)
    result = await Runner.run(agent, "go", run_id="r", run_config=config)
    assert result.final_output == "done"
    assert journal.take() == ["running", "completed"]


async def test_a_parked_run_that_is_looked_at_before_its_time_is_still_parked(journal):
    agent = Agent(name="desk", model=ScriptedModel([DOWN, END]))
    config = RunConfig(journal=journal, on_outage="park")
    for _ in range(3):
        with pytest.raises(RunParked):
            await Runner.run(agent, "hi", run_id="r", run_config=config)
    (run,) = await journal.runs()
    assert (run.status, run.owner_alive) == ("parked", False)
    await Runner.resume("r", agent, run_config=config)
    assert journal.take() == ["running", "parked", "running", "completed"]
