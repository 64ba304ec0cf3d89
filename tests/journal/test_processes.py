"""Several processes, killed, stopped, racing, locking: what a journal in a file is for."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract import STARTED, begin, names, step
from starting import Child, Start, children_of, line, tell

from outlast.core.errors import AlreadyRunning, StorageBusy
from outlast.core.events import StepRecorded
from outlast.journal import SqliteJournal
from outlast.journal.owner import life, this_process


@pytest.fixture
def start() -> Iterator[Start]:
    with children_of("children.py") as start:
        yield start


@pytest.mark.parametrize(("durability", "writers"), [("process", 1), ("process", 5), ("power", 5)])
async def test_what_was_acknowledged_survives_kill_9(
    tmp_path: Path, start: Start, durability: str, writers: int
):
    random.seed(writers)
    path = tmp_path / "journal.db"
    said: Counter[str] = Counter()
    for n in range(4):
        child = start("append_until_killed", path, durability, f"k{n}", writers)
        line(child)
        threading.Timer(random.uniform(0.05, 0.3), child.kill).start()
        out, _ = child.communicate()
        for each in out.splitlines():
            name, number = each.split()
            said[name] = max(said[name], int(number))
    journal = SqliteJournal(path, durability="process")
    for run in await journal.runs():
        stored = await journal.read(run.run_id)
        steps = [each.event.result for each in stored[1:] if each.event.name == "s"]
        assert not run.owner_alive
        assert steps == list(range(len(steps)))
        assert len(steps) > said[run.run_id]
        assert [each.seq for each in stored] == list(range(run.events))
        lease = await journal.acquire(run.run_id)  # At once, whatever its owner left behind.
        assert (lease.epoch, lease.head) == (2, run.events)
    assert sum(said.values()) > 50
    await journal.close()


async def test_a_living_owner_keeps_its_run_and_a_killed_one_loses_it(tmp_path: Path, start: Start):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    child = start("hold", path, "r")
    assert line(child) == "held"
    assert (await journal.runs())[0].owner_alive
    with pytest.raises(AlreadyRunning, match=str(child.pid)):
        await journal.acquire("r")
    child.kill()
    child.wait()
    assert not (await journal.runs())[0].owner_alive
    lease = await journal.acquire("r")
    assert (lease.epoch, lease.head) == (2, 1)
    await journal.close()


async def test_a_stopped_owner_that_wakes_up_is_refused(tmp_path: Path, start: Start):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    child = start("hold", path, "r")
    line(child)
    tell(child)
    assert line(child) == "appended"
    child.send_signal(signal.SIGSTOP)
    with pytest.raises(AlreadyRunning):
        await journal.acquire("r")
    lease = await journal.acquire("r", force=True)
    await journal.append(lease, [step(1)])
    child.send_signal(signal.SIGCONT)
    for _ in range(2):
        tell(child)
        assert line(child) == "fenced"
    assert len(await journal.read("r")) == 3
    await journal.close()


async def rounds(children: list[Child], count: int) -> list[list[str]]:
    results: list[list[str]] = []
    for _ in range(count):
        for child in children:
            assert line(child) == "ready"
        at = time.time() + 0.003
        for child in children:
            tell(child, repr(at))
        results.append([line(child) for child in children])
    return results


@pytest.mark.parametrize("what", ["race", "race_to_begin"])
async def test_of_two_processes_that_take_a_run_at_once_one_gets_it(
    tmp_path: Path, start: Start, what: str
):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    if what == "race":
        for n in range(200):
            await journal.release(await begin(journal, f"r{n}"))
    children = [start(what, path, 200) for _ in range(2)]
    results = await rounds(children, 200)
    assert [sorted(each) for each in results] == [["lost", "won"]] * 200
    assert {run.events for run in await journal.runs()} == {2 if what == "race" else 1}
    await journal.close()


async def test_eight_processes_open_twenty_new_journals_at_once(tmp_path: Path, start: Start):
    at = time.time() + 1.5
    children = [start("first_open", tmp_path, 20, at) for _ in range(8)]
    assert [line(child) for child in children] == ["done"] * 8
    for n in range(20):
        journal = SqliteJournal(tmp_path / str(n) / "journal.db", durability="process")
        assert len(await journal.runs()) == 8
        await journal.close()
        assert [each.name for each in (tmp_path / str(n)).iterdir()] == ["journal.db"]


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_a_locked_journal_is_waited_for_without_stopping_the_loop(
    tmp_path: Path, start: Start, durability: str
):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability=durability)
    lease, other = await begin(journal), await begin(journal, "other")
    assert line(start("lock", path, 1)) == "locked"
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    waiting = [journal.append(lease, [step(n)], barrier=n % 2 == 0) for n in range(7)]
    waiting += [journal.append(other, [step(9)])]
    for each in waiting:
        await each
    ticking.cancel()
    assert await names(journal) == list(range(7))
    assert ticks > 20
    await journal.close()


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_a_journal_that_stays_locked_is_busy_and_loses_nothing(
    tmp_path: Path, start: Start, durability: str
):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability=durability, busy_s=0.2)
    lease, other = await begin(journal), await begin(journal, "other")
    child = start("lock", path, 60)
    line(child)
    await journal.append(lease, [step(0)], barrier=False)
    waiting = [journal.append(lease, [step(1)]), journal.append(other, [step(1)])]
    for each in waiting:
        with pytest.raises(StorageBusy):
            await each
    with pytest.raises(StorageBusy):
        await journal.acquire("r", force=True)
    assert len(await journal.read("other")) == 1
    child.kill()
    child.wait()
    await journal.append(lease, [step(2)])
    assert await names(journal) == [0, 2]
    await journal.close()


async def test_a_watcher_sees_what_another_process_appends(tmp_path: Path, start: Start):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    await journal.release(await begin(journal))
    child = start("append_later", path, "r")
    line(child)
    watcher = journal.watch("r", after=0)
    for word in ("one", "two"):
        tell(child, word)
        stored = await asyncio.wait_for(anext(watcher), 60)
        assert stored.event == StepRecorded("t", "s", result=word)
        assert stored.epoch == 2
    await watcher.aclose()
    await journal.close()


# A process with threads is forked on purpose, as servers do that load a program first.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_fork_gets_connections_of_its_own(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="power")
    lease = await begin(journal)
    # What asyncio leaves of its loop in a child is of no use: the child makes one in a thread.
    if not (pid := os.fork()):
        code = 1
        try:
            _in_thread(_use_in_child, journal)
            code = 0
        finally:
            os._exit(code)
    _, ended = os.waitpid(pid, 0)  # noqa: ASYNC222 (nothing else runs in this loop)
    assert os.waitstatus_to_exitcode(ended) == 0
    await journal.append(lease, [step(1)])
    assert await names(journal) == [1]
    assert {run.run_id for run in await journal.runs()} == {"r", "child"}
    await journal.close()


async def _use_in_child(journal: SqliteJournal) -> None:
    with pytest.raises(AlreadyRunning):
        await journal.acquire("r")
    lease = await begin(journal, "child")
    await journal.append(lease, [step(1)])
    assert await names(journal, "child") == [1]


def _in_thread(work: Callable[..., object], *args: object) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work(*args))
        except BaseException as error:  # noqa: BLE001 (raised again below)
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("durability", ["process", "power"])
def test_threads_with_their_own_loops_share_a_journal(tmp_path: Path, durability: str):
    journal = SqliteJournal(tmp_path / "journal.db", durability=durability)

    async def work(name: str) -> None:
        lease = await begin(journal, name)
        for n in range(100):
            await journal.append(lease, [step(n)], barrier=bool(n % 3))
        await journal.release(lease)
        assert await names(journal, name) == list(range(100))

    threads = [threading.Thread(target=_in_thread, args=(work, f"t{n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = asyncio.run(_runs(journal))
    assert [run.events for run in runs] == [101] * 8
    journal.shut()


async def _runs(journal: SqliteJournal) -> list:
    return list(await journal.runs())


def test_what_a_loop_left_waiting_is_written_by_the_next(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    kept = []

    async def first() -> None:
        kept.append(await begin(journal))
        await journal.append(kept[0], [step(1)], barrier=False)

    async def second() -> None:
        await journal.append(kept[0], [step(2)])
        assert await names(journal) == [1, 2]

    asyncio.run(first())
    asyncio.run(second())
    journal.shut()


async def test_closing_hands_runs_over(tmp_path: Path):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    lease = await journal.acquire("r", new=True)
    await journal.append(lease, [STARTED, step(1)], barrier=False)
    await journal.close()
    other = SqliteJournal(path, durability="process", owned_by="another:1:1")
    assert not (await other.runs())[0].owner_alive
    assert (await other.acquire("r")).head == 2
    await other.close()


def test_owners():
    me = this_process()
    place, pid, started, host = me.split(":")
    boot = place.partition("/")[0]
    parent = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[19]
    for here in (place, boot):  # Older versions wrote the boot alone.
        assert life(f"{here}:{os.getppid()}:{parent}")
        assert life(f"{here}:{pid}:{int(started) - 1}") is False  # An earlier one of this number.
        assert life(f"{here}:4194305:1") is False
    assert life(me)
    assert life("") is False
    assert life("nonsense") is False
    for elsewhere in (f"{boot}/1", "another-boot/1", "another-boot", ""):
        assert life(f"{elsewhere}:{pid}:{started}:{host}") is None
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # Nobody asks how it ended: a zombie.
    assert life(f"{place}:{child.pid}:{started}") is False
    child.wait()
