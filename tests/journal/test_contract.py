"""The contract, for each journal that we have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from contract import STARTED, JournalContract

from outlast.core.events import RunCompleted
from outlast.journal import Journal, MemoryJournal, SqliteJournal


class TestMemory(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal()


class TestProcess(JournalContract):
    durability = "process"

    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        journal = SqliteJournal(tmp_path / "journal.db", durability=self.durability)
        yield journal
        await journal.close()


class TestPower(TestProcess):
    durability = "power"


async def test_memory_forgets_the_oldest_that_ended():
    journal = MemoryJournal(keep=2)
    waiting = await journal.acquire("waits", new=True)
    await journal.append(waiting, [STARTED])
    await journal.release(waiting, waits=True)
    for n in range(5):
        lease = await journal.acquire(f"r{n}", new=True)
        await journal.append(lease, [STARTED, RunCompleted()])
        await journal.release(lease)
    assert [run.run_id for run in await journal.runs()] == ["r4", "r3", "waits"]
