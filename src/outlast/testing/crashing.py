"""A journal that kills its process at a chosen append: what a power button is to a machine.

Run a program under it once per crash point, start the program again without it, and look at the
outcome. Every moment of a run lies between two appends, so the points before and after each of
them are all the crashes that can be told apart.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, Unpack

from outlast.calls.health import HealthStore
from outlast.core.budgets import Ledger
from outlast.core.commands import Command, Inbox
from outlast.core.events import Event
from outlast.journal.journal import (
    BlobStore,
    Change,
    Journal,
    Lease,
    RunFilter,
    RunSummary,
    Stored,
    durability_of,
)

Moment = Literal["before", "after"]

POINT = "OUTLAST_CRASH_AT"
"""The environment variable that `CrashingJournal.from_environment` reads: `7:before`, `7:after`."""


def kill_this_process() -> None:
    """Die at once, as by `kill -9`: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


class CrashingJournal:
    """A journal around another one that kills the process before or after its n-th append.

    Args:
        inner: Where the events really go.
        at: The number of the append, from 1; 0 never crashes.
        moment: Whether that append is still made.
        crash: What to do then; by default the process is killed.
    """

    def __init__(
        self,
        inner: Journal,
        *,
        at: int = 0,
        moment: Moment = "before",
        crash: Callable[[], None] = kill_this_process,
    ) -> None:
        self.inner = inner
        self.appends = 0
        """How many appends have been asked for."""
        self._at = at
        self._moment = moment
        self._crash = crash

    @classmethod
    def from_environment(cls, inner: Journal) -> CrashingJournal:
        """Crash where ``OUTLAST_CRASH_AT`` says, or nowhere when it is not set."""
        number, _, moment = os.environ.get(POINT, "0").partition(":")
        return cls(inner, at=int(number), moment="after" if moment == "after" else "before")

    @property
    def durability(self) -> str:
        """What the inner journal's logs survive."""
        return durability_of(self.inner)

    @property
    def blobs(self) -> BlobStore:
        """The inner journal's blobs."""
        return self.inner.blobs

    @property
    def health(self) -> HealthStore:
        """The inner journal's."""
        return self.inner.health

    @property
    def ledger(self) -> Ledger:
        """The inner journal's."""
        return self.inner.ledger

    @property
    def inbox(self) -> Inbox:
        """The inner journal's."""
        return self.inner.inbox

    async def post(self, run_id: str, command: Command) -> None:
        """Give a command to a run, as the inner journal does."""
        await self.inner.post(run_id, command)

    async def acquire(self, run_id: str, *, new: bool = False, force: bool = False) -> Lease:
        """Take a run over, as the inner journal does."""
        return await self.inner.acquire(run_id, new=new, force=force)

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        """Append to the inner journal, unless this is the append to die before."""
        self.appends += 1
        if self.appends != self._at:
            return self.inner.append(lease, events, barrier=barrier)
        if self._moment == "before":
            self._crash()
        return self._last_append(lease, events)

    async def read(self, run_id: str, *, after: int = -1) -> Sequence[Stored]:
        """Read a run's log."""
        return await self.inner.read(run_id, after=after)

    async def runs(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[RunSummary]:
        """List the runs."""
        return await self.inner.runs(status=status, limit=limit, before=before, **which)

    async def changes(
        self,
        since: int = 0,
        *,
        limit: int = 100,
        status: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[Change]:
        """Follow what changes among the runs."""
        return await self.inner.changes(since, limit=limit, status=status, **which)

    def watch(self, run_id: str, *, after: int = -1) -> AsyncIterator[Stored]:
        """Follow a run's log."""
        return self.inner.watch(run_id, after=after)

    async def release(self, lease: Lease, *, waits: bool = False) -> None:
        """Give a run back."""
        await self.inner.release(lease, waits=waits)

    async def close(self) -> None:
        """Close the inner journal."""
        await self.inner.close()

    async def _last_append(self, lease: Lease, events: Sequence[Event]) -> None:
        # A barrier, whatever was asked for: what dies after an append dies after it is on disk.
        await self.inner.append(lease, events, barrier=True)
        if self._moment == "after":
            self._crash()
