"""A reader looks twice at a file that other processes write: what changes in between is no damage."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from outlast.core.events import RunCompleted, RunStarted
from outlast.journal.rows import find
from outlast.journal.sqlite import SqliteJournal

STARTED = RunStarted(agent="a", input=[])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    file = tmp_path / "journal.db"
    journal = SqliteJournal(file)
    asyncio.run(begin(journal, "first"))
    journal.shut()
    return file


async def begin(journal: SqliteJournal, run_id: str) -> None:
    lease = await journal.acquire(run_id, new=True)
    await journal.append(lease, [STARTED])
    await journal.release(lease)


async def append(journal: SqliteJournal, run_id: str) -> None:
    lease = await journal.acquire(run_id)
    await journal.append(lease, [RunCompleted()])
    await journal.release(lease)


class Between:
    """Does something once, when a statement with a word in it is about to be executed."""

    def __init__(self, word: str, act) -> None:
        self.word, self.act, self.has_acted = word, act, False

    def __call__(self, statement: str) -> None:
        if self.word in statement and not self.has_acted:
            self.has_acted = True
            other = threading.Thread(target=lambda: asyncio.run(self.act()))
            other.start()
            other.join()


def test_a_run_that_begins_between_two_looks_is_found(place):
    reader, writer = SqliteJournal(place), SqliteJournal(place)
    between = Between("run_key", lambda: begin(writer, "second"))
    with reader._reading() as db:
        db.set_trace_callback(between)
        row = find(db, "second")
        db.set_trace_callback(None)
    assert between.has_acted
    assert row is not None
    assert row.id == "second"
    reader.shut()
    writer.shut()


def test_what_is_appended_between_two_looks_is_not_read_as_damage(place):
    reader, writer = SqliteJournal(place), SqliteJournal(place)
    between = Between("FROM log", lambda: append(writer, "first"))
    with reader._reading() as db:
        db.set_trace_callback(between)
    assert len(asyncio.run(reader.read("first"))) == 1
    assert between.has_acted
    assert len(asyncio.run(reader.read("first"))) == 2
    reader.shut()
    writer.shut()
