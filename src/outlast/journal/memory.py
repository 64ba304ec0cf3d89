"""A journal that forgets everything with its process. Same rows, same checks, no file."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import count, dropwhile, islice
from typing import Unpack

from outlast.core.commands import Command
from outlast.core.errors import (
    AlreadyRunning,
    JournalCorrupt,
    JournalUnavailable,
    RunNotFound,
    UserError,
)
from outlast.core.events import Event
from outlast.core.identity import NO_METADATA, content_hash
from outlast.definitions.clock import wall_s, wall_us
from outlast.definitions.given import names_of
from outlast.journal.codec import Row, decode, encode, seal
from outlast.journal.health import MemoryHealth
from outlast.journal.inbox import MemoryInbox
from outlast.journal.journal import (
    DONE,
    TERMINAL,
    Change,
    Lease,
    MetadataFilter,
    RunFilter,
    RunSummary,
    Stored,
    command_waits,
    fenced,
    fits,
)
from outlast.journal.ledger import MemoryLedger
from outlast.journal.retention import Pruned
from outlast.journal.watch import Watchers
from outlast.views.status import STATUSES

_BLOB_BYTES_MAX = 256 * 2**20


def _nobody() -> None:
    return None


class _Run:
    __slots__ = (
        "agent",
        "closed",
        "epoch",
        "held",
        "metadata",
        "parent",
        "place",
        "rows",
        "said",
        "waits",
    )

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.epoch = 0
        self.closed = 0
        """The epoch of whoever held it when the journal was closed."""
        self.held: Callable[[], Lease | None] = _nobody
        self.said = "running"
        """What its events say."""
        self.waits = False
        self.place = 0
        """Where it stands in the feed."""
        self.agent = ""
        self.parent = ""
        self.metadata = NO_METADATA

    @property
    def is_held(self) -> bool:
        """Whether somebody performs it."""
        lease = self.held()
        return lease is not None and lease.is_held

    @property
    def status(self) -> str:
        return "waiting" if self.waits and self.said not in TERMINAL else self.said


class MemoryJournal:
    """Keeps the logs of open runs and of the `keep` last ones that ended.

    Safe for one loop, or for several that do not share a run.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        self._keep = keep
        self._runs: dict[str, _Run] = {}
        self._ended: dict[str, None] = {}
        self._watchers = Watchers()
        self._commits = 0
        self._places = count(1)
        self.blobs = _MemoryBlobs()
        self.health = MemoryHealth()
        self.ledger = MemoryLedger(self._performs)
        self.inbox = MemoryInbox(self._status)

    async def acquire(self, run_id: str, *, new: bool = False, force: bool = False) -> Lease:
        run = self._runs.get(run_id)
        if run is None:
            if not new:
                raise RunNotFound(f"There is no run {run_id!r} in this process's memory.")
            run = self._runs[run_id] = _Run()
        elif new and run.rows:
            raise AlreadyRunning(f"Run {run_id!r} exists already. Acquire it without `new`.")
        elif run.is_held and not force:
            raise AlreadyRunning(f"Run {run_id!r} is held by this process. Wait for it to end.")
        run.epoch += 1
        run.waits = False
        run.place = next(self._places)
        self._ended.pop(run_id, None)
        lease = Lease(run_id, run.epoch, _head(run))
        lease.status = run.said if run.rows else ""
        run.held = weakref.ref(lease)  # A lease that nobody has any more holds nothing.
        return lease

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        del barrier
        draft = encode(events, lease)
        if not draft.length:
            return DONE
        run = self._runs.get(lease.run_id)
        if run is not None and run.epoch == lease.epoch <= run.closed:
            raise _closed_error(lease.run_id)
        if run is None or run.epoch != lease.epoch:
            lease.lost = True
            raise fenced(lease)
        if draft.status in TERMINAL and self.inbox.waits(lease):
            raise command_waits(lease)
        at = wall_us()
        run.rows.append(seal(draft, lease.run_id, lease.head, lease.epoch, at))
        lease.head += draft.length
        if draft.status:
            lease.status = run.said = draft.status
            run.place = next(self._places)
        if draft.started is not None and not run.agent:
            run.agent, run.parent = draft.started.agent, draft.started.parent
            run.metadata = draft.started.metadata
        self._commits += 1
        self._watchers.ring(lease.run_id)
        return DONE

    async def read(self, run_id: str, *, after: int = -1) -> Sequence[Stored]:
        run = self._runs.get(run_id)
        if run is None or not run.rows:
            raise RunNotFound(f"There is no run {run_id!r} in this process's memory.")
        rows = [row for row in run.rows if row.seq + row.length > after + 1]
        return decode(run_id, rows, after=after)

    async def runs(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[RunSummary]:
        if before is not None and before not in self._runs:
            raise RunNotFound(f"There is no run {before!r} in this process's memory.")
        newest = reversed(self._runs.items())
        if before is not None:
            newest = islice(dropwhile(lambda each: each[0] != before, newest), 1, None)
        found = (_summary(run_id, run) for run_id, run in newest if run.rows)
        return list(islice((run for run in found if fits(run, status, which)), limit))

    async def changes(
        self,
        since: int = 0,
        *,
        limit: int = 100,
        status: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[Change]:
        later = sorted((run.place, run_id) for run_id, run in self._runs.items() if run.rows)
        found = (
            Change(place, _summary(run_id, self._runs[run_id]))
            for place, run_id in later
            if place > since
        )
        return list(islice((each for each in found if fits(each.run, status, which)), limit))

    async def delete(self, run_id: str, *, force: bool = False) -> Pruned:
        """See `SqliteJournal.delete`."""
        run = self._runs.get(run_id)
        if run is None or not run.rows:
            raise RunNotFound(f"There is no run {run_id!r} in this process's memory.")
        tree = self._tree(run_id)
        if any(self._runs[each].is_held for each in tree):
            raise AlreadyRunning(f"Run {run_id!r} is held by this process. Wait for it to end.")
        if run.status not in TERMINAL and not force:
            raise UserError(
                f"Run {run_id!r} has not ended (it is {run.status}). Delete it all the same with "
                "force=True."
            )
        for each in tree:
            del self._runs[each]
            self.inbox.forget(each)
            self._ended.pop(each, None)
        return Pruned((run_id,), len(tree) - 1, 0)

    async def prune(
        self,
        *,
        older_than_s: float,
        statuses: Iterable[str] = TERMINAL,
        dry_run: bool = False,
        **metadata: Unpack[MetadataFilter],
    ) -> Pruned:
        """See `SqliteJournal.prune`."""
        before, wanted = (
            wall_s() - older_than_s,
            frozenset(names_of("prune(statuses=...)", statuses, STATUSES)),
        )
        roots = [
            each.run_id
            for each in await self.runs(**metadata)
            if each.parent not in self._runs
            and each.status in wanted
            and each.updated_at < before
            and not each.owner_alive
        ]
        children = sum(len(self._tree(run_id)) - 1 for run_id in roots)
        for run_id in [] if dry_run else roots:
            await self.delete(run_id, force=True)
        return Pruned(tuple(roots), children, 0)

    def _tree(self, run_id: str) -> list[str]:
        tree = [run_id]
        for above in tree:
            tree += [each for each, run in self._runs.items() if run.parent == above]
        return tree

    def watch(self, run_id: str, *, after: int = -1) -> AsyncIterator[Stored]:
        return self._watchers.follow(self, run_id, after, lambda: self._commits)

    async def post(self, run_id: str, command: Command) -> None:
        self.inbox.post(run_id, command)

    def _status(self, run_id: str) -> str | None:
        run = self._runs.get(run_id)
        return run.status if run is not None and run.rows else None

    def _performs(self, run_id: str, epoch: int) -> bool:
        run = self._runs.get(run_id)
        return run is not None and run.epoch == epoch and run.is_held

    async def release(self, lease: Lease, *, waits: bool = False) -> None:
        run = self._runs.get(lease.run_id)
        if run is None or run.epoch != lease.epoch:
            return
        run.held = _nobody
        run.waits = waits
        run.place = next(self._places)
        if not run.rows:
            del self._runs[lease.run_id]
        elif run.status in TERMINAL:
            self._ended[lease.run_id] = None
            while len(self._ended) > self._keep:
                oldest = next(iter(self._ended))
                del self._ended[oldest], self._runs[oldest]
                self.inbox.forget(oldest)

    async def close(self) -> None:
        """See `Journal.close`. The logs stay until the journal is garbage, and may be acquired."""
        for run in self._runs.values():
            run.held, run.closed = _nobody, run.epoch

    def holds_runs(self) -> bool:
        """Whether somebody performs a run that is kept here."""
        return any(run.is_held for run in list(self._runs.values()))


class _MemoryBlobs:
    """Beyond 256 MiB the oldest go, and are kept again when they are next named."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._size_bytes = 0

    def put(self, data: bytes, name: str | None = None) -> str:
        name = name or content_hash(data)
        if name not in self._bodies:
            self._bodies[name] = data
            self._size_bytes += len(data)
            while self._size_bytes > _BLOB_BYTES_MAX:
                self._size_bytes -= len(self._bodies.pop(next(iter(self._bodies))))
        return name

    def get(self, name: str) -> bytes:
        if name not in self._bodies:
            raise JournalCorrupt(f"The journal has no blob {name!r}, but a log refers to it.")
        return self._bodies[name]


def _closed_error(run_id: str) -> JournalUnavailable:
    error = JournalUnavailable(
        f"The journal in memory was closed while run {run_id!r} was open. Resume the run to go on."
    )
    error.run_id = run_id
    return error


def _summary(run_id: str, run: _Run) -> RunSummary:
    begun, ended = run.rows[0].at / 1e6, run.rows[-1].at / 1e6
    held = run.is_held and run.status not in TERMINAL
    times, events = (begun, ended), _head(run)
    return RunSummary(run_id, run.agent, run.status, run.parent, *times, events, held, run.metadata)


def _head(run: _Run) -> int:
    return run.rows[-1].seq + run.rows[-1].length if run.rows else 0
