"""Health that several processes share through one journal: no count lost, one probe, one limit."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from health_children import KEY, Endpoint
from starting import Start, children_of, line, tell

from outlast.calls.fallback import health_key
from outlast.calls.health import Circuit, Health
from outlast.core.errors import StorageBusy
from outlast.journal import Journal, MemoryJournal, SqliteJournal
from outlast.testing import CrashingJournal

OPEN = Health(Circuit(failures=3, since=1.0, until=2.0, opened=1))


def put(health: Health) -> Callable[[Health], tuple[Health, None]]:
    return lambda _: (health, None)


@pytest.fixture(params=["memory", "sqlite", "wrapped"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    if request.param == "memory":
        return MemoryJournal()
    kept = SqliteJournal(tmp_path / "journal.db", durability="process")
    return kept if request.param == "sqlite" else CrashingJournal(kept)


@pytest.fixture
def start() -> Iterator[Start]:
    with children_of("health_children.py") as start:
        yield start


# --- One process. ------------------------------------------------------------------------


async def test_a_model_that_nobody_knows_is_well(journal: Journal):
    assert journal.health.get(KEY) == Health()
    assert journal.health.all() == {}


async def test_what_was_changed_is_kept_and_answered(journal: Journal):
    answer = await journal.health.change(KEY, lambda _: (OPEN, "yes"))
    assert answer == "yes"
    assert journal.health.get(KEY) == OPEN
    assert journal.health.all() == {KEY: OPEN}


async def test_models_are_kept_apart_and_forgotten_together(journal: Journal):
    await journal.health.change(KEY, put(OPEN))
    await journal.health.change("another", put(Health()))
    assert journal.health.get("another") == Health()
    await journal.health.clear()
    assert journal.health.all() == {}


async def test_a_change_that_fails_changes_nothing(journal: Journal):
    await journal.health.change(KEY, put(OPEN))

    def fail(_: Health) -> tuple[Health, None]:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await journal.health.change(KEY, fail)
    assert journal.health.get(KEY) == OPEN
    await journal.health.change(KEY, put(Health()))


async def test_it_outlives_the_journal_that_wrote_it(tmp_path: Path):
    first = SqliteJournal(tmp_path / "journal.db")
    await first.health.change(KEY, put(OPEN))
    await first.close()
    assert SqliteJournal(tmp_path / "journal.db").health.get(KEY) == OPEN


@pytest.mark.parametrize("body", [b"", b"null", b"{", b'{"circuit": {"failures": "many"}}'])
async def test_a_record_that_cannot_be_read_counts_as_none(tmp_path: Path, body: bytes):
    journal = SqliteJournal(tmp_path / "journal.db")
    with closing(sqlite3.connect(journal.path)) as db, db:
        db.execute("INSERT INTO health VALUES (?, ?)", (KEY, body))
    assert journal.health.get(KEY) == Health()
    await journal.health.change(KEY, put(OPEN))
    assert journal.health.get(KEY) == OPEN


async def test_while_another_process_has_the_file_locked_the_loop_goes_on(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db")
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    change = asyncio.create_task(journal.health.change(KEY, put(OPEN)))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not change.done()
    assert journal.health.get(KEY) == Health()
    other.execute("ROLLBACK")
    other.close()
    await change
    assert journal.health.get(KEY) == OPEN


async def test_a_file_that_stays_locked_is_busy(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", busy_s=0.05)
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageBusy):
        await journal.health.change(KEY, put(OPEN))
    other.close()
    await journal.health.change(KEY, put(OPEN))


# A process with threads is forked on purpose, as servers do that load a program first.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_connection_of_its_own(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    asyncio.run(journal.health.change(KEY, put(OPEN)))
    child = os.fork()
    if not child:
        asyncio.run(journal.health.change(KEY, put(Health())))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert journal.health.get(KEY) == Health()


# --- Several. ----------------------------------------------------------------------------


@pytest.mark.slow
async def test_no_change_of_eight_processes_is_lost(tmp_path: Path, start: Start):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    children = [start("count", path, 50) for _ in range(8)]
    assert {line(child) for child in children} == {"ready"}
    for child in children:
        tell(child)
    assert {line(child) for child in children} == {"done"}
    assert journal.health.get(KEY).circuit.failures == 400


@pytest.mark.slow
async def test_of_eight_processes_exactly_one_probes(tmp_path: Path, start: Start):
    path, rounds = tmp_path / "journal.db", 20
    journal = SqliteJournal(path, durability="process")
    for n in range(rounds):
        await journal.health.change(f"{KEY} {n}", put(OPEN))
    children = [start("probe", path, 60, rounds) for _ in range(8)]
    for _ in range(rounds):
        assert {line(child) for child in children} == {"ready"}
        for child in children:
            tell(child, time.time() + 0.05)
        said = [line(child) for child in children]
        assert sorted(said) == ["probes", *["waits"] * 7]


@pytest.mark.slow
async def test_eight_processes_keep_one_limit_together(tmp_path: Path, start: Start):
    path = tmp_path / "journal.db"
    SqliteJournal(path)
    began = time.time()
    children = [start("run_many", path, 20, 10) for _ in range(8)]
    assert {line(child) for child in children} == {"ready"}
    for child in children:
        tell(child)
    said = [tuple(map(int, line(child).split())) for child in children]
    # On a machine where this takes more than a minute, a second one has begun.
    minutes = 1 + int(time.time() - began) // 60
    asked = sum(asked for asked, _ in said)
    assert 20 <= asked <= 20 * minutes
    assert asked + sum(refused for _, refused in said) == 80


@pytest.mark.slow
async def test_the_place_of_a_killed_probe_is_free_after_its_lease(tmp_path: Path, start: Start):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    key = health_key(Endpoint(), "")
    await journal.health.change(key, put(OPEN))
    first, second, third = (start("run_one", path, 5, f"run {n}") for n in range(3))
    assert {line(child) for child in (first, second, third)} == {"ready"}
    tell(first)
    assert line(first) == "asked"
    first.kill()
    first.wait()
    tell(second)
    assert line(second) == "refused"
    lease_end = journal.health.get(key).circuit.until
    await asyncio.sleep(max(0.0, lease_end - time.time()))
    tell(third)
    assert line(third) == "asked"
    tell(third)
    assert line(third) == "done"
    assert journal.health.get(key).circuit.name == "closed"


@pytest.mark.slow
async def test_the_run_of_a_killed_probe_goes_on_with_it_at_once(tmp_path: Path, start: Start):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    await journal.health.change(health_key(Endpoint(), ""), put(OPEN))
    for n in range(2):
        child = start("run_one", path, 600, "run")
        assert line(child) == "ready"
        tell(child)
        assert line(child) == "asked"
        if not n:
            child.kill()
            child.wait()
    tell(child)
    assert line(child) == "done"
