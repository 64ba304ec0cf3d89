"""What is over can be deleted; what somebody still needs stays."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from contract import STARTED, begin, step

from outlast.core.errors import AlreadyRunning, RunNotFound, UserError
from outlast.core.events import ErrorFacts, Event, RunCancelled, RunCompleted, RunFailed, RunStarted
from outlast.core.identity import RunMetadata
from outlast.journal import Journal, MemoryJournal, SqliteJournal

ENDS: dict[str, Event] = {
    "completed": RunCompleted(),
    "failed": RunFailed(ErrorFacts("X", "no")),
    "cancelled": RunCancelled(),
}
Ours = SqliteJournal | MemoryJournal


@pytest.fixture(params=["file", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Ours:
    if request.param == "memory":
        return MemoryJournal()
    return SqliteJournal(tmp_path / "journal.db", durability="process")


async def end(journal: Journal, run_id: str, status: str, parent: str = "", user: str = "") -> None:
    """A run that came to ``status``; an open one when there is no such end."""
    lease = await journal.acquire(run_id, new=True)
    metadata = RunMetadata(user=user)
    await journal.append(lease, [RunStarted("a", [], parent=parent, metadata=metadata)])
    if status in ENDS:
        await journal.append(lease, [ENDS[status]])
    await journal.release(lease, waits=status == "waiting")


async def left(journal: Journal) -> set[str]:
    return {run.run_id for run in await journal.runs()}


async def test_only_what_has_ended_goes_unless_more_is_asked_for(journal: Ours):
    for status in (*ENDS, "running", "waiting"):
        await end(journal, status, status)
    held = await begin(journal, "held")
    assert set((await journal.prune(older_than_s=3600)).run_ids) == set()
    told = await journal.prune(older_than_s=-1, dry_run=True)
    assert set(told.run_ids) == set(ENDS)
    assert len(await left(journal)) == 6
    await journal.prune(older_than_s=-1, statuses=["failed"])
    assert await left(journal) == {"completed", "cancelled", "running", "waiting", "held"}
    await journal.prune(older_than_s=-1)
    assert await left(journal) == {"running", "waiting", "held"}
    await journal.prune(older_than_s=-1, statuses=["running", "waiting", "completed"])
    assert await left(journal) == {"held"}
    await journal.append(held, [step(1)])
    await journal.close()


async def test_children_go_with_their_parent_and_not_before(journal: Ours):
    await end(journal, "open", "waiting")
    await end(journal, "open/c", "completed", parent="open")
    await end(journal, "over", "completed")
    await end(journal, "over/c", "failed", parent="over")
    await end(journal, "over/c/d", "running", parent="over/c")
    gone = await journal.prune(older_than_s=-1)
    assert (gone.run_ids, gone.children) == (("over",), 2)
    assert await left(journal) == {"open", "open/c"}
    assert (await journal.delete("open", force=True)).children == 1
    assert await left(journal) == set()
    await journal.close()


async def test_one_persons_runs_can_be_deleted_alone(journal: Ours):
    await end(journal, "a", "completed", user="ada")
    await end(journal, "b", "completed", user="bob")
    await journal.prune(older_than_s=-1, user="ada")
    assert await left(journal) == {"b"}
    await journal.close()


async def test_an_open_run_is_deleted_by_force_and_a_held_one_never(journal: Ours):
    await end(journal, "waits", "waiting")
    with pytest.raises(UserError, match=r"waiting.*force=True"):
        await journal.delete("waits")
    await journal.delete("waits", force=True)
    held = await begin(journal, "held")
    with pytest.raises(AlreadyRunning):
        await journal.delete("held", force=True)
    with pytest.raises(RunNotFound):
        await journal.delete("nobody")
    await journal.append(held, [step(1)])
    await journal.close()


async def test_the_file_shrinks_and_everything_else_stays(tmp_path: Path):
    file = tmp_path / "journal.db"
    journal = SqliteJournal(file, durability="power")
    shared = journal.blobs.put(b"shared" * 1000)
    for n in range(60):
        lease = await journal.acquire(f"r{n}", new=True)
        own = journal.blobs.put(f"own {n}".encode() * 1000)
        texts = [step(n), STARTED, RunStarted(shared, [{"own": own, "text": "x" * 20_000}])]
        await journal.append(lease, [STARTED, *texts, RunCompleted()])
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE blob SET at = 0")  # As it is after two minutes.
    for n in range(59):
        await journal.delete(f"r{n}")
    gone = await journal.prune(older_than_s=3600)
    assert gone.run_ids == ()
    assert file.stat().st_size < 200_000
    assert len(await journal.read("r59")) == 5
    assert journal.blobs.get(shared) == b"shared" * 1000
    again = journal.blobs.put(b"own 3" * 1000)
    lease = await begin(journal, "r3")
    assert journal.blobs.get(again) == b"own 3" * 1000
    await journal.close()
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM blob").fetchone() == (3,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert lease.head == 1


async def test_a_journal_opens_after_its_newest_run_was_deleted(tmp_path: Path):
    file = tmp_path / "journal.db"
    writer = SqliteJournal(file, durability="power")
    await end(writer, "first", "completed")
    await end(writer, "last", "completed")
    await writer.delete("last")
    other = SqliteJournal(file, durability="power")
    assert await left(other) == {"first"}
    await end(writer, "last", "completed")
    assert await left(other) == {"first", "last"}
    await asyncio.gather(other.close(), writer.close())
