"""Deleting what is over while others work, by clocks that may be wrong."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest
from contract import begin, step

from outlast import UserError
from outlast.core.events import ErrorFacts, RunCompleted, RunFailed, StepRecorded
from outlast.journal import SqliteJournal, close_journals, open_journal
from outlast.journal.blobs import is_settled, stamp
from outlast.journal.retention import Pruner, Retention, retention_of

HOUR, DAY = 3600, 86_400
JUMPS = [-DAY, -HOUR, -60, 0, 60, HOUR, DAY]


async def completed(journal: SqliteJournal, run_id: str) -> None:
    lease = await begin(journal, run_id)
    await journal.append(lease, [step(1), RunCompleted()])
    await journal.release(lease)


def clocks(wall: float, steady: float) -> int:
    return (int(wall) << 31) | int(steady)


@pytest.mark.parametrize(("jump", "age_s"), list(product(JUMPS, [0, 1, 60, 119])))
def test_no_jump_of_the_clock_makes_a_blob_old_that_somebody_takes_for_stored(
    jump: int, age_s: int
):
    stored = clocks(1_700_000_000, 5_000)
    assert not is_settled(stored, clocks(1_700_000_000 + age_s + jump, 5_000 + age_s))


@pytest.mark.parametrize("age_s", [0, 1, 60, 119])
def test_a_restart_of_the_machine_makes_no_fresh_blob_old(age_s: int):
    for steady in (0, 10, 4_999, 500_000):
        stored = clocks(1_700_000_000, 5_000)
        assert not is_settled(stored, clocks(1_700_000_000 + age_s, steady))


def test_a_blob_is_old_once_both_clocks_have_gone_on():
    stored = clocks(1_700_000_000, 5_000)
    assert is_settled(stored, clocks(1_700_000_200, 5_200))
    assert is_settled(stored, clocks(1_700_000_200, 50))  # The machine was restarted.
    assert is_settled(1_700_000_000 * 10**6, clocks(1_700_000_200, 500_000))  # Of older versions.
    assert not is_settled(stamp(), stamp())


@pytest.mark.slow
async def test_space_is_given_back_while_somebody_writes(tmp_path: Path):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    for n in range(40):
        lease = await begin(journal, f"old {n}")
        for _ in range(5):
            journal.blobs.put(f"{n}".encode() * 40_000)
            await journal.append(lease, [StepRecorded("t", "s", result="y" * 100_000)])
        await journal.append(lease, [RunCompleted()])
        await journal.release(lease)
    lease = await begin(journal, "busy")
    before = path.stat().st_size
    pruning = asyncio.create_task(journal.prune(older_than_s=-1))
    waits: list[float] = []
    while not pruning.done():
        began = time.perf_counter()
        await journal.append(lease, [step(len(waits))])
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.001)
    gone = await pruning
    print(f"{len(waits)} appends meanwhile, the slowest {max(waits) * 1e3:.1f} ms")
    assert len(gone.run_ids) == 40
    assert gone.freed_bytes > before / 2
    assert len(waits) > 20
    assert [each.event.result for each in (await journal.read("busy"))[1:]] == list(
        range(len(waits))
    )
    await journal.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_blob_that_nothing_names_is_freed_whoever_left_it(tmp_path: Path):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    lease = await begin(journal)
    needed = journal.blobs.put(b"needed" * 1000)
    left = journal.blobs.put(b"left" * 1000)
    await journal.append(lease, [StepRecorded("t", "s", result=needed)])
    await journal.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE blob SET at = 0")
    journal = SqliteJournal(path, durability="process")
    await journal.prune(older_than_s=DAY)
    assert journal.blobs.get(needed) == b"needed" * 1000
    assert journal._load_blob(left) is None
    await journal.close()


@pytest.mark.parametrize("text", ["30", "d", "30 days", "-1d", "30d,keep", "keep-failed", ","])
def test_a_retention_that_says_nothing_is_refused(text: str):
    with pytest.raises(UserError, match="OUTLAST_RETENTION"):
        retention_of(text)


def test_a_retention_is_an_age_and_what_is_kept():
    assert retention_of("30d") == Retention(30 * DAY)
    assert retention_of("1.5h, keep-failed") == Retention(
        5400, frozenset({"completed", "cancelled"})
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("OUTLAST_RETENTION", "0s,keep-failed")
    yield tmp_path / "journal.db"
    close_journals()


async def test_a_process_that_holds_runs_deletes_what_is_over(place: Path):
    journal = open_journal(place, "process")
    assert isinstance(journal, SqliteJournal)
    await completed(journal, "over")
    failed = await begin(journal, "failed")
    await journal.append(failed, [RunFailed(ErrorFacts("m1", "X", "x"))])
    await begin(journal, "open")
    pruner = journal.pruner
    assert pruner is not None
    assert pruner.prune_if_due() is None  # Not in the first minute.
    pruner._next = 0.0
    thread = pruner.prune_if_due()
    assert thread is not None
    thread.join()
    assert pruner.prune_if_due() is None
    assert {run.run_id for run in await journal.runs()} == {"failed", "open"}


@pytest.mark.parametrize("jump", [HOUR, DAY, 365 * DAY])
def test_a_clock_that_jumps_ahead_makes_a_process_delete_nothing_early(tmp_path: Path, jump: int):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    pruner = Pruner(journal.path, journal, Retention(30 * DAY))
    mono, wall = pruner._began
    pruner._began = mono, wall - jump  # As if the process had begun before the jump.
    assert pruner._now() <= wall - jump + 600
    journal.shut()
