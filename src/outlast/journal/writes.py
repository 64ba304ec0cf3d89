"""What a transaction of the SQLite journal is made of.

Each write is applied inside a transaction that it may share with others, and finds out there
whether it is still allowed. If the transaction fails, `undo` puts its lease back.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time

from outlast.core.errors import AgentsException, AlreadyRunning
from outlast.core.events import VERSION
from outlast.journal.codec import Draft, checksum, metadata_text
from outlast.journal.journal import TERMINAL, Lease, fenced
from outlast.journal.owner import is_alive

_INSERT_LOG = (
    "INSERT INTO log SELECT (?1 << 32) + ?3, ?4, epoch, ?5, ?6, ?7, ?8, ?9 FROM run"
    " WHERE number = ?1 AND epoch = ?2"
)
_INSERT_RUN = (
    "INSERT INTO run (id, epoch, owner, is_waiting, agent, parent, metadata, created_at)"
    " VALUES (?, ?, ?, 0, ?, ?, ?, ?)"
)
_FIND = "SELECT number, epoch, owner FROM run WHERE id = ?"
_HEAD = (
    "SELECT (place & 0xffffffff) + count FROM log WHERE place >= ?1 << 32"
    " AND place < (?1 + 1) << 32 ORDER BY place DESC LIMIT 1"
)
_STATUS = (
    "SELECT status FROM log WHERE place >= ?1 << 32 AND place < (?1 + 1) << 32 AND status <> ''"
    " ORDER BY place DESC LIMIT 1"
)
_ACQUIRE = "UPDATE run SET epoch = ?, owner = ?, is_waiting = 0 WHERE number = ?"
_RELEASE = "UPDATE run SET owner = '', is_waiting = ? WHERE number = ? AND epoch = ?"


class Write:
    """One party to a transaction."""

    __slots__ = ("barrier", "error", "future", "lease", "owner", "size")

    def __init__(
        self, lease: Lease, owner: str = "", *, barrier: bool = True, size: int = 0
    ) -> None:
        self.lease = lease
        self.owner = owner
        self.barrier = barrier
        """Whether somebody waits for it."""
        self.size = size
        """How many bytes it adds, about."""
        self.error: AgentsException | None = None
        """Why it alone was refused, once applied."""
        self.future: asyncio.Future[None] | None = None

    def apply(self, db: sqlite3.Connection) -> None:
        """Take part in the transaction, or set `error` and change nothing."""
        raise NotImplementedError

    def is_one_statement(self) -> bool:
        """Whether `apply` is a transaction by itself when nothing else is in it."""
        return False

    def undo(self) -> None:
        """Put back what `apply` changed in the lease: the transaction came to nothing."""

    def settle(self) -> int:
        """The transaction is committed. Returns the place in `log` that it wrote to, or 0."""
        return 0


class Append(Write):
    """Events for the end of a log."""

    __slots__ = ("_created", "_seq", "draft")

    def __init__(self, lease: Lease, draft: Draft, owner: str, *, barrier: bool) -> None:
        super().__init__(lease, owner, barrier=barrier, size=len(draft.body))
        self.draft = draft
        self._seq = -1
        self._created = False

    def is_one_statement(self) -> bool:
        return self.lease.number != 0

    def apply(self, db: sqlite3.Connection) -> None:
        lease = self.lease
        at = time.time_ns() // 1000
        if lease.lost or (not lease.number and not self._create_run(db, at)):
            self.error = self.error or fenced(lease)
            return
        draft, seq, epoch = self.draft, lease.head, lease.epoch
        crc = checksum(draft, lease.run_id, seq, epoch, at)
        place = (lease.number, epoch, seq, draft.length)
        values = (*place, at, VERSION, crc, draft.body, draft.status)
        try:
            refused = db.execute(_INSERT_LOG, values).rowcount != 1
        except sqlite3.IntegrityError:  # A fork of this process shares the lease and was first.
            refused = True
        if refused:
            self.error = fenced(lease)
            lease.lost = True
            return
        self._seq = seq
        lease.head = seq + draft.length

    def undo(self) -> None:
        if self._seq >= 0:
            self.lease.head = self._seq
        if self._created:
            self.lease.number = 0
        self._seq, self._created = -1, False

    def settle(self) -> int:
        if self.error is not None:
            return 0
        if self.draft.status:
            self.lease.status = self.draft.status
        return (self.lease.number << 32) + self._seq

    def _create_run(self, db: sqlite3.Connection, at: int) -> bool:
        lease, started = self.lease, self.draft.started
        agent, parent = (started.agent, started.parent) if started else ("", "")
        about = metadata_text(started.metadata) if started else ""
        try:
            values = (lease.run_id, lease.epoch, self.owner, agent, parent, about, at)
            lease.number = db.execute(_INSERT_RUN, values).lastrowid or 0
        except sqlite3.IntegrityError:
            lease.lost = True
            self.error = AlreadyRunning(
                f"Run {lease.run_id!r} exists already. To go on with it, acquire it without `new`."
            )
        self._created = not lease.lost
        return self._created


class Claim(Write):
    """The acquisition of a run that exists."""

    __slots__ = ("_force",)

    def __init__(self, lease: Lease, owner: str, *, force: bool) -> None:
        super().__init__(lease, owner)
        self._force = force

    def apply(self, db: sqlite3.Connection) -> None:
        run_id = self.lease.run_id
        number, epoch, holder = db.execute(_FIND, (run_id,)).fetchone()
        is_foreign = not self._force and holder != self.owner and is_alive(holder)
        # Who ends a run does not release it too: that saves each run a transaction.
        if is_foreign and db.execute(_STATUS, (number,)).fetchone()[0] not in TERMINAL:
            self.error = AlreadyRunning(
                f"Run {run_id!r} is held by process {holder.split(':')[1]}, which is alive. Wait "
                "for it or watch the run; taking it over would stop it there."
            )
            return
        db.execute(_ACQUIRE, (epoch + 1, self.owner, number))
        lease = self.lease
        lease.number, lease.epoch = number, epoch + 1
        lease.head = db.execute(_HEAD, (number,)).fetchone()[0]


class Release(Write):
    """The end of a lease."""

    __slots__ = ("_waits",)

    def __init__(self, lease: Lease, *, waits: bool, barrier: bool = True) -> None:
        super().__init__(lease, barrier=barrier)
        self._waits = waits

    def apply(self, db: sqlite3.Connection) -> None:
        db.execute(_RELEASE, (self._waits, self.lease.number, self.lease.epoch))
