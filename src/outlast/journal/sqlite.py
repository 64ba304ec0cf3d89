"""The journal in a SQLite file: what every run is kept in unless it is told otherwise.

Several processes may use one file, and several threads and loops of each. Per process there is one
connection that writes and one that reads, so reading never waits for the disk of a writer.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from outlast.core.commands import Command
from outlast.core.errors import AlreadyRunning, JournalCorrupt, RunNotFound
from outlast.core.events import Event
from outlast.core.identity import RunMetadata
from outlast.definitions.forks import at_fork, take
from outlast.journal.blobs import Blobs
from outlast.journal.codec import decode, encode, metadata_of
from outlast.journal.committer import Committer
from outlast.journal.database import STORAGE_ERRORS, closed_error, connect, prepare, storage_error
from outlast.journal.health import SqliteHealth
from outlast.journal.inbox import SqliteInbox
from outlast.journal.journal import DONE, TERMINAL, Lease, MetadataFilter, RunSummary, Stored
from outlast.journal.owner import is_alive, this_process
from outlast.journal.retention import Pruned, delete_run, prune_runs
from outlast.journal.rows import COLUMNS, RunRow, check_counts, checked, find
from outlast.journal.watch import Watchers
from outlast.journal.writes import Append, Claim, Release, Write

_ALONE_MAX = 1
"""With more open runs than this, commits wait for the end of the loop's tick; see bench.py."""

_HELD: dict[str, weakref.WeakValueDictionary[str, Lease]] = {}
"""By file: the runs that this process holds. A lease that nobody has any more holds nothing."""

_LOG = (
    "SELECT place & 0xffffffff, count, epoch, at, version, crc, body FROM log"
    " WHERE place < (?1 + 1) << 32 AND place >= coalesce((SELECT max(place) FROM log"
    " WHERE place >= ?1 << 32 AND place <= (?1 << 32) + ?2), ?1 << 32) ORDER BY place"
)
_RUNS = f"SELECT {COLUMNS} FROM run"  # noqa: S608  # our own names
_PAGE_ROWS = 256


class SqliteJournal:
    """See `Journal`. Opening one blocks for about a millisecond; use `open_journal` to share it."""

    def __init__(
        self, path: Path, *, durability: str = "power", owned_by: str = "", busy_s: float = 10.0
    ) -> None:
        """Open or create the journal at `path`.

        Args:
            path: The file.
            durability: "power" or "process".
            owned_by: In whose name runs are held; this process when empty.
            busy_s: How long to wait for another process that has the file locked.
        """
        self.path = path
        self.durability = durability
        self._is_own = not owned_by
        self._owner = owned_by or this_process()
        self._busy_s = busy_s
        self._held = _HELD.setdefault(
            f"{os.path.realpath(path)}|{owned_by}", weakref.WeakValueDictionary()
        )
        self.is_closed = False
        self.on_release: Callable[[], None] | None = None
        """Called when a run of this journal was put down."""
        self._watchers = Watchers()
        self._hold_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._is_counted = False
        self._reader: sqlite3.Connection | None = None
        self.blobs = Blobs(self._load_blob)
        self.health = SqliteHealth(path, busy_s=busy_s)
        self.inbox = SqliteInbox(path, power=durability == "power")
        self._committer: Committer | None = self._open()
        at_fork(self)

    async def acquire(self, run_id: str, *, new: bool = False, force: bool = False) -> Lease:
        if self.is_closed:
            raise closed_error(self.path)
        if not new:
            with self._reading() as db:  # Without a transaction: many ids of callers are new.
                self._require(db, run_id)
        with self._hold_lock:
            if self._holds(run_id) and not force:
                raise AlreadyRunning(f"Run {run_id!r} is held by this process. Wait for it to end.")
            lease = self._held[run_id] = Lease(run_id, 1, 0, keeper=self)
        if not new:
            try:
                await self._submit(Claim(lease, self._owner, force=force))
            except BaseException:
                self._forget(lease)
                self._give_back(lease)
                raise
        return lease

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        draft = encode(events, lease)
        if not draft.length:
            return DONE
        if self.is_closed:
            raise closed_error(self.path, lease.run_id)
        return self._submit(Append(lease, draft, self._owner, barrier=barrier))

    async def read(self, run_id: str, *, after: int = -1) -> Sequence[Stored]:
        self.committer.flush()
        with self._reading() as db:
            db.execute("BEGIN")  # What another process appends between the two looks is in neither.
            try:
                row = self._require(db, run_id)
                rows = db.execute(_LOG, (row.number, after + 1)).fetchall()
            finally:
                db.execute("COMMIT")
        return decode(run_id, rows, after=after, end=(row.head, row.tail))

    async def runs(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        **metadata: Unpack[MetadataFilter],
    ) -> Sequence[RunSummary]:
        self.committer.flush()
        alive: dict[str, bool] = {}
        found: list[RunSummary] = []
        with self._reading() as db:
            if not self._is_counted:
                check_counts(db)
                self._is_counted = True
            place = None if before is None else self._require(db, before).number
            for row in _listed(db, status, place):
                whose = metadata_of(row.metadata)
                if whose.has(**metadata):
                    found.append(_summary(row, whose, is_held=self._is_held(row, alive)))
                if len(found) == limit:
                    break
        return found

    async def delete(self, run_id: str, *, force: bool = False) -> Pruned:
        """See `Journal.delete`. Works in a thread."""
        self.committer.flush()
        try:
            return await asyncio.to_thread(
                delete_run, self.path, run_id, self._is_held, force=force
            )
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
        self.committer.flush()
        before = time.time() - older_than_s
        try:
            return await asyncio.to_thread(
                prune_runs,
                self.path,
                self._is_held,
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
        self._forget(lease)
        try:
            if not (self.is_closed or lease.lost or lease.status in TERMINAL):
                await self._submit(Release(lease, waits=waits))
        finally:
            if self.on_release is not None:
                self.on_release()

    def holds_runs(self) -> bool:
        """Whether this process performs a run that is kept here."""
        return any(lease.is_held for lease in list(self._held.values()))

    async def close(self) -> None:
        """See `Journal.close`. Blocks until the last commit is on disk."""
        self.shut()

    def shut(self) -> None:
        """Close, outside of any loop."""
        with self._hold_lock:
            if self.is_closed:
                return
            self.is_closed = True
        self.health.close()
        self.inbox.close()
        committer = self._committer
        if committer is None:
            return
        leases = [lease for lease in list(self._held.values()) if lease.keeper is self]
        try:
            committer.close([Release(lease, waits=False) for lease in leases])
        finally:
            for lease in leases:
                self._forget(lease)
            with self._read_lock:
                if self._reader is not None:
                    self._reader.close()
            committer.mark.close()

    @property
    def committer(self) -> Committer:
        """The writing half. A forked child gets its own."""
        if self._committer is None:
            with self._hold_lock:
                if self.is_closed:
                    raise closed_error(self.path)
                if self._committer is None:
                    self._committer = self._open()
        return self._committer

    def _open(self) -> Committer:
        prepare(self.path)
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

    def _holds(self, run_id: str) -> bool:
        """Whether this process performs the run, in a loop that still goes on."""
        lease = self._held.get(run_id)
        return lease is not None and lease.is_held

    def _is_held(self, row: RunRow, alive: dict[str, bool] | None = None) -> bool:
        """Whether somebody performs the run. `alive` remembers what is known of processes."""
        if row.status in TERMINAL:
            return False
        if row.owner == self._owner:
            return self._holds(row.id)
        alive = {} if alive is None else alive
        if row.owner not in alive:
            alive[row.owner] = is_alive(row.owner)
        return alive[row.owner]

    def _submit(self, write: Write) -> Awaitable[None]:
        return self.committer.submit(write, alone=len(self._held) <= _ALONE_MAX)

    def _forget(self, lease: Lease) -> None:
        with self._hold_lock:
            if self._held.get(lease.run_id) is lease:
                del self._held[lease.run_id]

    def _give_back(self, lease: Lease) -> None:
        """Nobody waits for this claim any more, and it may still be made: undo it right after."""
        if not self.is_closed:
            self.committer.submit(Release(lease, waits=False, barrier=False), alone=False)

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        if self._committer is None:
            _ = self.committer  # It looks whether the file is sound.
        try:
            with self._read_lock:
                if self.is_closed:
                    raise closed_error(self.path)
                if self._reader is None:
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
        self.blobs = Blobs(self._load_blob)
        if self._is_own:
            self._owner = this_process()
        for lease in list(self._held.values()):
            lease.lost = True
        self._held.clear()


def _listed(db: sqlite3.Connection, status: str | None, place: int | None) -> Generator[RunRow]:
    """The rows before a place, the newest first, each checked."""
    place = 2**62 if place is None else place
    which = (
        "INDEXED BY run_shown WHERE shown = ? AND" if status is not None else "NOT INDEXED WHERE"
    )
    query = f"{_RUNS} {which} number < ? ORDER BY number DESC LIMIT {_PAGE_ROWS}"
    while True:
        about = (place,) if status is None else (status, place)
        rows = db.execute(query, about).fetchall()
        for fields in rows:
            row = checked(fields)
            if row.number >= place or status not in (None, row.shown):
                raise JournalCorrupt(
                    f"The journal's list of runs is out of order at run {row.id!r}: a page of it was "
                    "damaged. Restore it from a copy. Runs that you name can be read all the same."
                )
            place = row.number
            yield row
        if len(rows) < _PAGE_ROWS:
            return


def _summary(row: RunRow, whose: RunMetadata, *, is_held: bool) -> RunSummary:
    return RunSummary(
        row.id,
        row.agent,
        row.shown,
        row.parent,
        row.created_at / 1e6,
        row.at / 1e6,
        row.head,
        is_held,
        whose,
    )
