"""The journal in a SQLite file: what every run is kept in unless it is told otherwise.

Several processes may use one file, and several threads and loops of each. Per process there is one
connection that writes and one that reads, so reading never waits for the disk of a writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Unpack

from outlast.core.commands import Command
from outlast.core.errors import AlreadyRunning, JournalError, RunNotFound
from outlast.core.events import Event
from outlast.definitions.clock import wall_s
from outlast.definitions.forks import at_fork, take
from outlast.journal.blobs import Blobs
from outlast.journal.codec import decode, encode
from outlast.journal.committer import Committer
from outlast.journal.database import STORAGE_ERRORS, closed_error, connect, prepare, storage_error
from outlast.journal.feed import changes_after, runs_before
from outlast.journal.health import SqliteHealth
from outlast.journal.heartbeat import ALIVE, BEAT_S, DEAD, Heart, Pulse, clear
from outlast.journal.held import Held
from outlast.journal.inbox import SqliteInbox
from outlast.journal.journal import (
    DONE,
    TERMINAL,
    Change,
    Lease,
    MetadataFilter,
    RunFilter,
    RunSummary,
    Stored,
)
from outlast.journal.ledger import SqliteLedger
from outlast.journal.owner import this_process
from outlast.journal.resting import AWAKE
from outlast.journal.retention import Pruned, Pruner, delete_run, prune_runs
from outlast.journal.rows import RunRow, find
from outlast.journal.watch import Watchers
from outlast.journal.writes import Abandon, Append, Beat, Claim, Leave, Release, Write

_ALONE_MAX = 1
"""With more open runs than this, commits wait for the end of the loop's tick; see bench.py."""

_HELD: dict[str, Held] = {}
"""By file: the runs that this process holds."""

_LOG = (
    "SELECT place & 0xffffffff, count, epoch, at, version, crc, body FROM log"
    " WHERE place < (?1 + 1) << 32 AND place >= coalesce((SELECT max(place) FROM log"
    " WHERE place >= ?1 << 32 AND place <= (?1 << 32) + ?2), ?1 << 32) ORDER BY place"
)


class SqliteJournal:
    """See `Journal`. Opening one blocks for about a millisecond; use `open_journal` to share it."""

    def __init__(
        self,
        path: Path,
        *,
        durability: str = "power",
        owned_by: str = "",
        busy_s: float = 10.0,
        beat_s: float | None = None,
    ) -> None:
        """Open or create the journal at `path`.

        Args:
            path: The file.
            durability: "power" or "process".
            owned_by: In whose name runs are held; this process when empty.
            busy_s: How long to wait for another process that has the file locked.
            beat_s: How often to show other containers and machines that what it holds is performed;
                never, where it is in another name and this is left out.
        """
        self.path = path
        self.durability = durability
        self._is_own = not owned_by
        self._owner = owned_by or this_process()
        self._busy_s = busy_s
        self._held = _HELD.setdefault(f"{os.path.realpath(path)}|{owned_by}", Held())
        self._heart = Heart(self, beat_s or (0.0 if owned_by else BEAT_S))
        self.is_closed = False
        self.on_release: Callable[[], None] | None = None
        """Called when a run of this journal was put down."""
        self.pruner: Pruner | None = None
        """Deletes what is over, while this process holds runs."""
        self._watchers = Watchers()
        self._hold_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._counted: set[tuple[str, str]] = set()
        self._reader: sqlite3.Connection | None = None
        self.blobs = Blobs(self._load_blob)
        self.health = SqliteHealth(path, busy_s=busy_s, on_open=self._note_use)
        is_power = durability == "power"
        self.ledger = SqliteLedger(
            path,
            self._held.pulses,
            self.is_held,
            busy_s=busy_s,
            on_open=self._note_use,
            power=is_power,
        )
        self.inbox = SqliteInbox(path, power=is_power, on_open=self._note_use)
        self._is_checked = False
        self._committer: Committer | None = None
        _ = self.committer
        at_fork(self)

    async def acquire(self, run_id: str, *, new: bool = False, force: bool = False) -> Lease:
        if self.is_closed:
            raise closed_error(self.path)
        AWAKE.use(self)
        if not new:
            with self._reading() as db:  # Without a transaction: many ids of callers are new.
                self._require(db, run_id)
        lease = Lease(run_id, 1, 0, keeper=self)
        self._held.take(lease, force=force)
        if self._heart.start():  # Committed with what comes next, or before it.
            self._submit(Beat(self._owner, self._heart), alone=False)
        if not new:
            try:
                await self._claim(lease, force=force)
            except BaseException:
                self._held.drop(lease)
                self._give_back(lease)
                raise
        return lease

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        draft = encode(events, lease, packs=True)
        if not draft.length:
            return DONE
        if self.is_closed:
            raise closed_error(self.path, lease.run_id)
        return self._submit(Append(lease, draft, self._owner, barrier=barrier))

    async def read(self, run_id: str, *, after: int = -1) -> Sequence[Stored]:
        self._flush()
        with self._reading() as db:
            db.execute("BEGIN")  # What another process appends between the two looks is in neither.
            try:
                row = self._require(db, run_id)
                rows = db.execute(_LOG, (row.number, after + 1)).fetchall()
            finally:
                db.execute("COMMIT")
        return decode(run_id, rows, after=after, end=(row.head, row.tail), load=self.blobs.get)

    async def runs(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[RunSummary]:
        self._flush()
        known: dict[str, Pulse] = {}
        with self._reading() as db:
            number = None if before is None else self._require(db, before).number
            rows = islice(runs_before(db, number, status, which, self._counted), limit)
            return [self._seen(db, row, run, known) for row, run in rows]

    async def changes(
        self,
        since: int = 0,
        *,
        limit: int = 100,
        status: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[Change]:
        self._flush()
        known: dict[str, Pulse] = {}
        with self._reading() as db:
            latest: dict[int, Change] = {}
            for place, row, run in changes_after(db, since, status, which, self._counted):
                latest.pop(row.number, None)
                if len(latest) == limit:
                    break
                latest[row.number] = Change(place, self._seen(db, row, run, known))
            return list(latest.values())

    async def delete(self, run_id: str, *, force: bool = False) -> Pruned:
        """See `Journal.delete`. Works in a thread."""
        self._flush()
        await self._certain(run_id)
        try:
            return await asyncio.to_thread(delete_run, self.path, run_id, self, force=force)
        finally:
            self.blobs.forget()

    async def prune(
        self,
        *,
        older_than_s: float,
        statuses: Iterable[str] = TERMINAL,
        dry_run: bool = False,
        **metadata: Unpack[MetadataFilter],
    ) -> Pruned:
        """See `Journal.prune`. Works in a thread."""
        self._flush()
        before = wall_s() - older_than_s
        try:
            return await asyncio.to_thread(
                prune_runs,
                self.path,
                self,
                before=before,
                statuses=statuses,
                metadata=metadata,
                dry_run=dry_run,
            )
        finally:
            self.blobs.forget()

    def watch(self, run_id: str, *, after: int = -1) -> AsyncIterator[Stored]:
        return self._watchers.follow(self, run_id, after, self._data_version)

    async def post(self, run_id: str, command: Command) -> None:
        await asyncio.to_thread(self.inbox.post, run_id, command, patience_s=self._busy_s)

    async def release(self, lease: Lease, *, waits: bool = False) -> None:
        self._held.drop(lease)
        try:
            if not (self.is_closed or lease.lost or lease.status in TERMINAL):
                await self._submit(Release(lease, waits=waits))
        finally:
            if self.on_release is not None:
                self.on_release()

    def holds_runs(self) -> bool:
        """Whether this process performs a run that is kept here."""
        return self._held.has_any()

    def is_needed(self) -> bool:
        """See `heartbeat.Holder`."""
        return len(self._held) > 0

    def beat(self) -> None:
        """See `heartbeat.Holder`. What nobody here performs any more becomes free for others too."""
        lost = self._held.lost()
        if self.pruner is not None:
            self.pruner.prune_if_due()
        abandoned = [Abandon(run_id, self._owner, self._held) for run_id in lost]
        with contextlib.suppress(JournalError):
            self.committer.commit([Beat(self._owner, self._heart), *abandoned])
            for run_id in lost:
                self._held.forget(run_id)

    async def close(self) -> None:
        """See `Journal.close`. Blocks until the last commit is on disk."""
        self.shut()

    def shut(self) -> None:
        """Close, outside of any loop."""
        with self._hold_lock:
            if self.is_closed:
                return
            self.is_closed = True
        self._heart.stop()
        self.health.close()
        self.ledger.close()
        self.inbox.close()
        committer = self._committer
        if committer is None:
            return
        leases = [lease for lease in self._held.leases() if lease.keeper is self]
        last: list[Write] = [Release(lease, waits=False) for lease in leases]
        if self._heart.has_signed:
            last.append(Leave(self._owner, self._held))
        for lease in leases:
            self._held.drop(lease)
        try:
            committer.close(last)
        finally:
            with self._read_lock:
                if self._reader is not None:
                    self._reader.close()
            committer.mark.close()

    def rest(self) -> bool:
        """See `Restable`. What is used next opens what it needs."""
        locks = (self._hold_lock, self._read_lock)
        taken = [lock for lock in locks if lock.acquire(blocking=False)]
        try:
            return len(taken) == len(locks) and self._put_down()
        finally:
            for lock in taken:
                lock.release()

    def _put_down(self) -> bool:
        """Close every file, with both locks held: nobody can begin anything meanwhile."""
        if self.is_closed:
            return True
        committer = self._committer
        if len(self._held) or self._watchers.has_any() or (committer and not committer.is_idle()):
            return False
        if not (self.inbox.rest() and self.health.rest() and self.ledger.rest()):
            return False
        if self._reader is not None:
            self._reader.close()
        self._reader = self._committer = None
        if committer is not None:
            committer.close(())
            committer.mark.close()
        return True

    @property
    def committer(self) -> Committer:
        """The writing half. A forked child gets its own."""
        if self._committer is None:
            with self._hold_lock:
                return self._ready()
        return self._committer

    def _ready(self) -> Committer:
        """The writing half, for who has the lock."""
        if self._committer is None:
            if self.is_closed:
                raise closed_error(self.path)
            self._committer = self._open()
        return self._committer

    def _note_use(self) -> None:
        AWAKE.use(self)

    def _open(self) -> Committer:
        AWAKE.use(self)
        prepare(self.path, is_known=self._is_checked)
        self._is_checked = True
        try:
            return Committer(
                self.path,
                self.blobs,
                self._watchers.ring,
                power=self.durability == "power",
                busy_s=self._busy_s,
            )
        except STORAGE_ERRORS as error:
            raise storage_error(error, self.path) from error

    def _require(self, db: sqlite3.Connection, run_id: str) -> RunRow:
        row = find(db, run_id)
        if row is None:
            raise RunNotFound(f"There is no run {run_id!r} in the journal {str(self.path)!r}.")
        return row

    def _pulse(
        self, db: sqlite3.Connection, row: RunRow, known: dict[str, Pulse] | None = None
    ) -> Pulse:
        """Whether somebody performs the run. `known` remembers what was said of owners."""
        if row.status in TERMINAL or not row.owner:
            return DEAD
        if row.owner == self._owner:
            return ALIVE if self._held.has(row.id) else DEAD
        known = {} if known is None else known
        if row.owner not in known:
            known[row.owner] = self._held.pulses.of(db, row.owner)
        return known[row.owner]

    def _seen(
        self, db: sqlite3.Connection, row: RunRow, run: RunSummary, known: dict[str, Pulse]
    ) -> RunSummary:
        return run._replace(owner_alive=self._pulse(db, row, known).seems_to_live)

    def is_held(self, db: sqlite3.Connection, row: RunRow) -> bool:
        """See `retention.Owners`."""
        return self._pulse(db, row).lives

    def clear(self, db: sqlite3.Connection) -> None:
        """See `retention.Owners`."""
        clear(db, self._held.pulses)

    async def _certain(self, run_id: str) -> None:
        """Wait until it is certain whether somebody performs the run; it mostly is."""
        while True:
            with self._reading() as db:
                row = find(db, run_id)
                wait_s = 0.0 if row is None else self._pulse(db, row).certain_in_s
            if not wait_s:
                return
            await asyncio.sleep(wait_s)

    async def _claim(self, lease: Lease, *, force: bool) -> None:
        while True:
            claim = Claim(lease, self._owner, self._held.pulses, force=force)
            try:
                return await self._submit(claim)
            except AlreadyRunning:
                if not claim.certain_in_s:
                    raise
            await asyncio.sleep(claim.certain_in_s)

    def _submit(self, write: Write, *, alone: bool | None = None) -> Awaitable[None]:
        alone = len(self._held) <= _ALONE_MAX if alone is None else alone
        with self._hold_lock:  # It is not put down meanwhile.
            return self._ready().submit(write, alone=alone)

    def _flush(self) -> None:
        with self._hold_lock:
            if self._committer is not None:
                self._committer.flush()

    def _give_back(self, lease: Lease) -> None:
        """Nobody waits for this claim any more, and it may still be made: undo it right after."""
        if not self.is_closed:
            self._submit(Release(lease, waits=False, barrier=False), alone=False)

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        if self._committer is None:
            _ = self.committer  # It looks whether the file is sound.
        try:
            with self._read_lock:
                if self.is_closed:
                    raise closed_error(self.path)
                if self._reader is None:
                    AWAKE.use(self)
                    self._reader = connect(self.path, busy_ms=1000, read_only=True)
                yield self._reader
        except STORAGE_ERRORS as error:
            raise storage_error(error, self.path) from error

    def _load_blob(self, name: str) -> bytes | None:
        with self._reading() as db:
            found = db.execute(
                "SELECT cast(body AS BLOB) FROM blob WHERE hash = ?", (name,)
            ).fetchone()
        return found[0] if found else None

    def _data_version(self) -> int:
        with self._reading() as db:
            return db.execute("PRAGMA data_version").fetchone()[0]

    def before_fork(self) -> None:
        """See `Forked`."""
        take(self._hold_lock)
        self._heart.before_fork()
        if self._committer is not None:
            self._committer.before_fork()
        if take(self._read_lock) and self._reader is not None and not self.is_closed:
            self._reader.close()
            self._reader = None

    def in_child(self) -> None:
        """See `Forked`. The runs, the queues and the threads are the parent's."""
        if self._committer is not None:
            self._committer.mark.leave()
        self._committer = None
        self._hold_lock, self._read_lock = threading.Lock(), threading.Lock()
        self._watchers = Watchers()
        self._is_checked = False
        self.blobs = Blobs(self._load_blob)
        if self._is_own:
            self._owner = this_process()
        self._heart = Heart(self, self._heart.every_s)
