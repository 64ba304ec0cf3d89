"""Whatever happens in whatever order, a journal says what was acknowledged and nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from contract import STARTED, step
from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from outlast.core.errors import AlreadyRunning, Fenced, RunNotFound, StorageFull
from outlast.core.events import Event, RunCompleted, RunReopened, StepRecorded
from outlast.journal import Lease, SqliteJournal
from outlast.journal.journal import TERMINAL

ANY = st.characters(exclude_categories=["Cs"])
"""All that UTF-8 can say. (Hypothesis would find that out by itself, in three seconds.)"""
RUNS = st.sampled_from(["a", "b", "c"])
EVENTS = st.lists(
    st.one_of(
        st.integers(0, 99).map(step),
        st.text(ANY, max_size=50).map(lambda text: StepRecorded("t", "text", result=text)),
        st.just(RunCompleted()),
        st.just(RunReopened()),
    ),
    min_size=1,
    max_size=4,
)
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""No power is cut here, so nothing has to wait for a disk."""
AFTER = {RunCompleted: "completed", RunReopened: "running"}


class Machine(RuleBasedStateMachine):
    """Two processes (as far as owners tell) over one file, and a list of what each run holds."""

    leases = Bundle("leases")
    durability = "process"

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.logs: dict[str, list[Event]] = {}
        self.epochs: dict[str, int] = {}
        self.said: dict[str, str] = {}
        self.waits: set[str] = set()
        self.journals = [self.opened(n) for n in range(2)]

    def opened(self, n: int) -> SqliteJournal:
        # The second one looks dead to the first and the other way round, so each may take over.
        owner = f"elsewhere:{n}:1"
        path = self.folder / "journal.db"
        return SqliteJournal(path, durability=self.durability, owned_by=owner)

    def teardown(self) -> None:
        for journal in self.journals:
            self.loop.run(journal.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(target=leases, n=st.integers(0, 1), run_id=RUNS, new=st.booleans(), force=st.booleans())
    def acquire(self, n: int, run_id: str, *, new: bool, force: bool) -> tuple[int, Lease] | None:
        new = new and run_id not in self.logs
        try:
            lease = self.loop.run(self.journals[n].acquire(run_id, new=new, force=force))
        except AlreadyRunning:
            assert not force
            return None
        except RunNotFound:
            assert run_id not in self.logs
            return None
        if not new:
            self.epochs[run_id] += 1
            assert lease.epoch == self.epochs[run_id]
            assert lease.head == len(self.logs[run_id])
            self.waits.discard(run_id)
        return n, lease

    @rule(held=leases, events=EVENTS, full=st.booleans())
    def append(self, held: tuple[int, Lease] | None, events: list[Event], *, full: bool) -> None:
        if held is None:
            return
        n, lease = held
        run_id = lease.run_id
        is_new = not lease.number
        before = lease.head
        if is_new:
            events = [STARTED, *events]
        if full:
            events = [*events, StepRecorded("t", "big", result="x" * 100_000)]
            self.let_grow(n, 2)
        try:
            self.loop.run(self._append(n, lease, events))
        except (Fenced, AlreadyRunning):
            is_current = not is_new and lease.epoch == self.epochs[run_id]
            assert not is_current or lease.lost
            assert not (is_new and run_id not in self.logs and not lease.lost)
        except StorageFull:
            assert full
            assert lease.head == before
        else:
            if is_new:
                assert run_id not in self.logs
                self.logs[run_id], self.epochs[run_id] = [], 1
                self.said[run_id] = "running"
            assert lease.epoch == self.epochs[run_id]
            self.logs[run_id] += events
            for event in events:
                self.said[run_id] = AFTER.get(type(event), self.said[run_id])
            assert lease.head == len(self.logs[run_id])
        finally:
            self.let_grow(n, 100_000)

    async def _append(self, n: int, lease: Lease, events: list[Event]) -> None:
        await self.journals[n].append(lease, events)

    @rule(held=leases, waits=st.booleans())
    def release(self, held: tuple[int, Lease] | None, *, waits: bool) -> None:
        if held is None:
            return
        n, lease = held
        self.loop.run(self.journals[n].release(lease, waits=waits))
        is_current = lease.number and lease.epoch == self.epochs.get(lease.run_id)
        if is_current and not lease.lost and lease.status not in TERMINAL:
            (self.waits.add if waits else self.waits.discard)(lease.run_id)

    @rule(n=st.integers(0, 1))
    def reopen(self, n: int) -> None:
        self.loop.run(self.journals[n].close())
        self.journals[n] = self.opened(n)

    @rule(n=st.integers(0, 1))
    def checkpoint(self, n: int) -> None:
        self.journals[n].committer.db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @invariant()
    def both_read_what_was_acknowledged(self) -> None:
        self.loop.run(self._both_read())

    async def _both_read(self) -> None:
        for journal in self.journals:
            for run_id, log in self.logs.items():
                stored = await journal.read(run_id)
                assert [each.event for each in stored] == log
            runs = {run.run_id: run for run in await journal.runs()}
            assert {run_id: run.status for run_id, run in runs.items()} == {
                run_id: "waiting" if said == "running" and run_id in self.waits else said
                for run_id, said in self.said.items()
            }
            assert all(runs[run_id].events == len(log) for run_id, log in self.logs.items())

    def let_grow(self, n: int, pages: int) -> None:
        db = self.journals[n].committer.db
        (size,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {size + pages}")


class PowerMachine(Machine):
    durability = "power"


TestProcess = Machine.TestCase
TestPower = PowerMachine.TestCase
TestProcess.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestPower.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)


EXAMPLES = int(os.environ.get("OUTLAST_TEST_EXAMPLES", "120"))
"""`make chaos` looks at 500, which takes a minute on a machine that has nothing else to do."""


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestLonger(Machine.TestCase):
    settings = settings(max_examples=EXAMPLES, stateful_step_count=50, deadline=None)
