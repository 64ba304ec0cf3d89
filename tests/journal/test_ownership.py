"""Who holds a run: told by looking where that is possible, and by heartbeats where it is not."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from contract import begin, names, step
from starting import Child, Start, children_of, line, tell

from outlast.core.errors import AlreadyRunning, Fenced
from outlast.journal import Lease, SqliteJournal
from outlast.journal.heartbeat import Pulses
from outlast.journal.owner import described, owner_of, this_process

ME = owner_of(this_process())
BOOT, SPACE = ME.place.split("/")
ELSEWHERE = {
    "another container": f"{BOOT}/{int(SPACE) + 1}:{os.getpid()}:{ME.start}:{ME.host}",
    "another machine": f"{BOOT[::-1]}/{SPACE}:{os.getpid()}:{ME.start}:web-2",
    "a machine of the same name": f"{BOOT[::-1]}/{SPACE}:1:1:{ME.host}",
    "a machine that does not say when it was booted": ":7:0123456789abcdef:web-3",
}
FAST_S = 0.04
HOUR_S = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@asynccontextmanager
async def journal_of(
    path: Path, owner: str = "", beat_s: float = FAST_S
) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(path, durability="process", owned_by=owner, beat_s=beat_s)
    try:
        yield journal
    finally:
        await journal.close()


def die(journal: SqliteJournal) -> None:
    """The process of the journal was killed: it beats no more, and says goodbye to nobody."""
    journal._heart.stop()


@pytest.mark.parametrize("owner", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_who_lives_elsewhere_keeps_its_run_and_who_died_there_loses_it(
    path: Path, owner: str
):
    async with journal_of(path, owner) as theirs, journal_of(path) as ours:
        lease = await begin(theirs)
        for _ in range(5):
            with pytest.raises(AlreadyRunning, match=f"process {owner_of(owner).pid} (on|in)"):
                await ours.acquire("r")
            assert [run.owner_alive for run in await ours.runs()] == [True]
            assert not (await ours.prune(older_than_s=-1, statuses=["running"])).run_ids
            with pytest.raises(AlreadyRunning):
                await ours.delete("r", force=True)
            await asyncio.sleep(2 * FAST_S)
        await theirs.append(lease, [step(1)])
        die(theirs)
        taken = await acquired(ours)
        with pytest.raises(Fenced):
            await theirs.append(lease, [step(2)])
        await ours.append(taken, [step(3)])
        assert await names(ours) == [1, 3]


async def acquired(journal: SqliteJournal, within_s: float = 60.0) -> Lease:
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await journal.acquire("r")
            except AlreadyRunning:
                await asyncio.sleep(FAST_S)


async def test_an_owner_elsewhere_without_any_heartbeat_is_dead(path: Path):
    async with journal_of(path, "elsewhere/1:1:1:x", beat_s=0) as theirs, journal_of(path) as ours:
        lease = await begin(theirs)
        assert [run.owner_alive for run in await ours.runs()] == [False]
        assert (await ours.acquire("r")).epoch == lease.epoch + 1


async def test_who_holds_nothing_says_nothing(path: Path):
    async with journal_of(path) as journal:
        await journal.release(await begin(journal))
        for _ in range(50):
            await asyncio.sleep(FAST_S)
            if not journal._heart._thread:
                break
        assert journal._heart._thread is None
        lease = await journal.acquire("r")
        await journal.append(lease, [step(1)])
        assert journal._heart._thread is not None


async def test_owners_that_left_are_forgotten(path: Path):
    async with journal_of(path, ELSEWHERE["another machine"]) as theirs:
        await begin(theirs)
        async with journal_of(path) as ours:
            await begin(ours, "s")
        assert owners(path) == [ELSEWHERE["another machine"]]
    assert owners(path) == []


def owners(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    try:
        return [name for (name,) in db.execute("SELECT name FROM owner")]
    finally:
        db.close()


async def test_a_run_whose_loop_is_gone_is_free_for_other_machines_too(path: Path):
    async with journal_of(path, ELSEWHERE["another machine"]) as theirs, journal_of(path) as ours:
        leases: list[Lease] = []
        await asyncio.to_thread(lambda: leases.append(asyncio.run(begin(theirs))))
        kept = await begin(theirs, "kept")
        assert (await acquired(ours)).epoch == 2
        with pytest.raises(AlreadyRunning):
            await ours.acquire("kept")
        assert [leases, kept]


@dataclass
class World:
    """One process that looks and one that beats, each with a clock that may be wrong."""

    mono: float = 1000.0
    wall: float = 1.7e9
    theirs: float = 0.0
    """How far the other's wall clock is from ours."""
    beat: int = 1

    def __post_init__(self) -> None:
        self.pulses = Pulses(lambda: self.mono, lambda: self.wall)
        self.at = self.wall + self.theirs

    def passes(self, seconds: float, *, lives: bool) -> None:
        self.mono += seconds
        self.wall += seconds
        if lives:
            self.beat += 1
            self.at = self.wall + self.theirs

    def look(self) -> tuple[bool, bool]:
        pulse = self.pulses.judged("o", self.beat, 3000, int(self.at * 1e6))
        return pulse.lives, pulse.seems_to_live


JUMPS = [0.0, 1.0, -1.0, 25.0, -25.0, HOUR_S, -HOUR_S, 24 * HOUR_S, -24 * HOUR_S]


@pytest.mark.parametrize(("skew", "ours", "theirs"), list(product(JUMPS, JUMPS, JUMPS)))
def test_no_clock_takes_a_run_from_who_lives_or_keeps_it_for_who_died(
    skew: float, ours: float, theirs: float
):
    world = World(theirs=skew)
    for n in range(40):
        world.passes(3.0, lives=True)
        assert world.look()[0]
        if n == 10:
            world.wall += ours
        if n == 20:
            world.theirs += theirs
    for _ in range(7):
        world.passes(3.0, lives=False)
        is_held = world.look()[0]
    assert not is_held


@pytest.mark.parametrize("ago", [21.0, HOUR_S, 30 * 24 * HOUR_S])
def test_who_has_just_begun_waits_four_beats_for_an_owner_that_died_long_ago(ago: float):
    world = World(theirs=-ago)
    assert world.look() == (True, False)
    world.passes(10.4, lives=False)
    assert world.look() == (True, False)
    world.passes(0.2, lives=False)
    assert world.look() == (False, False)


@pytest.fixture
def start() -> Iterator[Start]:
    with children_of("children.py") as start:
        yield start


SEPARATE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def can_separate() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*SEPARATE, "true"], check=False, capture_output=True).returncode == 0


def separated(command: list[str]) -> Child:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


needs_namespaces = pytest.mark.skipif(not can_separate(), reason="namespaces need privileges")


@needs_namespaces
@pytest.mark.slow
@pytest.mark.parametrize("has_own_proc", [True, False])
async def test_containers_that_share_a_file_do_not_take_each_others_runs(
    path: Path, *, has_own_proc: bool
):
    SqliteJournal(path).shut()
    script = str(Path(__file__).with_name("children.py"))
    separate = SEPARATE if has_own_proc else SEPARATE[:-1]
    child = separated([*separate, sys.executable, script, "hold", str(path), "r", str(FAST_S)])
    assert line(child) == "held"
    async with journal_of(path) as ours:
        for _ in range(10):
            with pytest.raises(AlreadyRunning):
                await ours.acquire("r")
            assert (await ours.runs())[0].owner_alive
            await asyncio.sleep(FAST_S)
        tell(child, "go on")
        assert line(child) == "appended"
        child.kill()
        child.communicate()
        began = time.monotonic()
        lease = await acquired(ours)
        assert time.monotonic() - began > FAST_S
        await ours.append(lease, [step(1)])
    assert lease.epoch == 2


async def test_who_was_killed_where_it_can_be_seen_is_replaced_at_once(path: Path, start: Start):
    SqliteJournal(path).shut()
    child = start("hold", path, "r")
    assert line(child) == "held"
    async with journal_of(path, beat_s=3.0) as ours:
        with pytest.raises(AlreadyRunning):
            await ours.acquire("r")
        child.kill()
        child.communicate()
        assert (await ours.acquire("r")).epoch == 2


def test_owners_are_described_for_people():
    assert described(this_process()) == f"process {os.getpid()}"
    assert described(ELSEWHERE["another machine"]) == f"process {os.getpid()} on web-2"
    assert described(f"{BOOT}/1:17:1:web-3") == "process 17 in another container (web-3)"
    assert described("boot:17:1") == "process 17 on another machine"
