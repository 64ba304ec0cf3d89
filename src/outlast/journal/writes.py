"""What a transaction of the SQLite journal is made of.

Each write is applied inside a transaction that it may share with others, and finds out there
whether it is still allowed. If the transaction fails, `undo` puts its lease back.
"""

from __future__ import annotations

import asyncio
import sqlite3

from outlast.core.errors import AgentsException, AlreadyRunning, JournalCorrupt, RunNotFound
from outlast.core.events import VERSION
from outlast.definitions.clock import wall_us
from outlast.journal.blobs import PUT_BLOB
from outlast.journal.codec import Draft, checksum, metadata_text
from outlast.journal.heartbeat import Heart, Pulses, beat, leave
from outlast.journal.held import Held
from outlast.journal.inbox import waits
from outlast.journal.journal import TERMINAL, Lease, command_waits, fenced
from outlast.journal.owner import described
from outlast.journal.rows import COLUMNS, RunRow, find, run_key, sealed

_INSERT_LOG = "INSERT INTO log VALUES ((?1 << 32) + ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
_INSERT_RUN = f"INSERT INTO run ({COLUMNS}) VALUES ({', '.join('?' * len(RunRow._fields))})"  # noqa: S608  # our own names
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM run"
# A row is replaced only as the writer last saw it. The status has an index, and seldom changes.
_SAME = " WHERE number = ?1 AND seal = ?2"
_MOVE = "UPDATE run SET head = ?3, at = ?4, tail = ?5, revision = ?6, seal = ?7" + _SAME  # noqa: S608  # our own names
_END = _MOVE.replace(_SAME, ", status = ?8" + _SAME)
_CHANGE = (
    "UPDATE run SET epoch = ?3, owner = ?4, is_waiting = ?5, revision = ?6, seal = ?7"
    " WHERE number = ?1 AND seal = ?2"
)


class Write:
    """One party to a transaction."""

    __slots__ = ("_before", "barrier", "error", "future", "lease", "owner", "size")

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
        self._before: tuple[RunRow | None, int, int, int, str] | None = None

    def apply(self, db: sqlite3.Connection) -> None:
        """Take part in the transaction, or set `error` and change nothing."""
        raise NotImplementedError

    def undo(self) -> None:
        """Put back what `apply` changed in the lease: the transaction came to nothing."""
        if self._before is not None:
            lease = self.lease
            lease.row, lease.number, lease.epoch, lease.head, lease.status = self._before
            self._before = None

    def settle(self) -> int:
        """The transaction is committed. Returns what the mark has to note, or 0."""
        row = self.lease.row
        if self.error is not None or row is None or self._before is None:
            return 0
        return (row.number << 32) + row.revision

    def _replace(self, row: RunRow) -> None:
        """The lease's run is this now, unless the transaction comes to nothing."""
        lease = self.lease
        self._before = (lease.row, lease.number, lease.epoch, lease.head, lease.status)
        lease.row, lease.number, lease.epoch, lease.head = row, row.number, row.epoch, row.head
        lease.status = row.status

    def _change(self, db: sqlite3.Connection, old: RunRow, **changes: str | int) -> bool:
        """Replace what is not about the log; False if somebody was first."""
        row = sealed(old._replace(revision=old.revision + 1, **changes))
        values = (
            old.number,
            old.seal,
            row.epoch,
            row.owner,
            row.is_waiting,
            row.revision,
            row.seal,
        )
        if db.execute(_CHANGE, values).rowcount != 1:
            return False
        self._replace(row)
        return True


class Append(Write):
    """Events for the end of a log."""

    __slots__ = ("draft",)

    def __init__(self, lease: Lease, draft: Draft, owner: str, *, barrier: bool) -> None:
        size = len(draft.body) + sum(map(len, draft.parts.values()))
        super().__init__(lease, owner, barrier=barrier, size=size)
        self.draft = draft

    def apply(self, db: sqlite3.Connection) -> None:
        lease, draft, at = self.lease, self.draft, wall_us()
        if lease.lost:
            self.error = fenced(lease)
            return
        if draft.status in TERMINAL and lease.number and waits(db, lease):
            self.error = command_waits(lease)
            return
        seq, epoch = lease.head, lease.epoch
        crc = checksum(draft, lease.run_id, seq, epoch, at)
        old = lease.row
        row = self._new_row(db, at, crc) if old is None else self._next_row(db, old, at, crc)
        if row is None:
            lease.lost = True
            return
        if draft.parts:
            db.executemany(PUT_BLOB, [(*part, -at) for part in draft.parts.items()])
        db.execute(
            _INSERT_LOG,
            (row.number, seq, draft.length, epoch, at, VERSION, crc, draft.body, draft.status),
        )
        self._replace(row)

    def _next_row(self, db: sqlite3.Connection, old: RunRow, at: int, crc: int) -> RunRow | None:
        head, status = old.head + self.draft.length, self.draft.status or old.status
        row = sealed(
            RunRow(*old[:5], status, *old[6:11], head, at, crc, old.revision + 1, 0),
        )
        values = (old.number, old.seal, head, at, crc, row.revision, row.seal)
        if status == old.status:
            is_moved = db.execute(_MOVE, values).rowcount == 1
        else:
            is_moved = db.execute(_END, (*values, status)).rowcount == 1
        if is_moved:
            return row
        self.error = fenced(self.lease)
        return None

    def _new_row(self, db: sqlite3.Connection, at: int, crc: int) -> RunRow | None:
        lease, draft, started = self.lease, self.draft, self.draft.started
        if find(db, lease.run_id) is not None:
            self.error = AlreadyRunning(
                f"Run {lease.run_id!r} exists already. To go on with it, acquire it without `new`."
            )
            return None
        agent, parent = (started.agent, started.parent) if started else ("", "")
        about = metadata_text(started.metadata) if started else ""
        (number,) = db.execute(_NEXT).fetchone()
        names = (self.owner, draft.status or "running", 0, agent, parent, about)
        log = (draft.length, at, crc)
        key = run_key(lease.run_id)
        row = sealed(RunRow(number, lease.run_id, key, lease.epoch, *names, at, *log, 1, 0))
        db.execute(_INSERT_RUN, row)
        return row


class Claim(Write):
    """The acquisition of a run that exists."""

    __slots__ = ("_force", "_pulses", "certain_in_s")

    def __init__(self, lease: Lease, owner: str, pulses: Pulses, *, force: bool) -> None:
        super().__init__(lease, owner)
        self._pulses = pulses
        self._force = force
        self.certain_in_s = 0.0
        """When to try again, if the owner that it was refused for may be dead."""

    def apply(self, db: sqlite3.Connection) -> None:
        run_id = self.lease.run_id
        row = find(db, run_id)
        if row is None:
            self.error = RunNotFound(f"Run {run_id!r} was deleted a moment ago.")
            return
        if self._is_taken(db, row):
            self.error = AlreadyRunning(
                f"Run {run_id!r} is held by {described(row.owner)}, which is alive. Wait "
                "for it or watch the run; taking it over would stop it there."
            )
            return
        if not self._change(db, row, epoch=row.epoch + 1, owner=self.owner, is_waiting=0):
            raise _changed(run_id)

    def _is_taken(self, db: sqlite3.Connection, row: RunRow) -> bool:
        # Who ends a run does not release it too: that saves each run a transaction.
        if self._force or row.owner in ("", self.owner) or row.status in TERMINAL:
            return False
        pulse = self._pulses.of(db, row.owner)
        self.certain_in_s = pulse.certain_in_s
        return pulse.lives


class Release(Write):
    """The end of a lease."""

    __slots__ = ("_waits",)

    def __init__(self, lease: Lease, *, waits: bool, barrier: bool = True) -> None:
        super().__init__(lease, barrier=barrier)
        self._waits = waits

    def apply(self, db: sqlite3.Connection) -> None:
        row = self.lease.row
        if row is None or self.lease.lost:
            return
        self._change(db, row, owner="", is_waiting=int(self._waits))


class Abandon(Write):
    """The end of what this process holds and nobody in it performs any more."""

    __slots__ = ("_held",)

    def __init__(self, run_id: str, owner: str, held: Held) -> None:
        super().__init__(Lease(run_id, 0, 0), owner, barrier=False)
        self._held = held

    def apply(self, db: sqlite3.Connection) -> None:
        run_id = self.lease.run_id
        try:
            row = find(db, run_id)
        except JournalCorrupt as error:  # For whoever reads it. The others still have to beat.
            self.error = error
            return
        is_ours = row is not None and row.owner == self.owner and row.status not in TERMINAL
        if row is not None and is_ours and not self._held.has(run_id):
            self._change(db, row, owner="")


class Leave(Write):
    """The end of an owner that holds nothing any more."""

    __slots__ = ("_held",)

    def __init__(self, owner: str, held: Held) -> None:
        super().__init__(Lease("", 0, 0), owner)
        self._held = held

    def apply(self, db: sqlite3.Connection) -> None:
        if not self._held.has_any():  # Another journal of this process may use the same file.
            leave(db, self.owner)


class Beat(Write):
    """A sign of life; see heartbeat.py."""

    __slots__ = ("_heart",)

    def __init__(self, owner: str, heart: Heart) -> None:
        super().__init__(Lease("", 0, 0), owner, barrier=False)
        self._heart = heart

    def apply(self, db: sqlite3.Connection) -> None:
        beat(db, self.owner, self._heart.every_s)

    def settle(self) -> int:
        self._heart.has_signed = True
        return 0


def _changed(run_id: str) -> JournalCorrupt:
    return JournalCorrupt(
        f"The row of run {run_id!r} changed while it was being replaced, which SQLite never lets happen "
        "in a sound file. Restore the journal from a copy."
    )
