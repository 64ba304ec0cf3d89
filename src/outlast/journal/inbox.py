"""Commands on their way to runs: any process posts them, the one that performs the run takes them.

A command is on disk before whoever posted it is answered. It stays in the table: what has become of it
is in the run's log, under its id, and nowhere else. An append that would end a run is refused while
a command waits that the run has not heard of. So each command that was acknowledged is in the log, once.

A process with a run in flight looks every 50 ms whether another one has changed the file at all
(`PRAGMA data_version`, 2 µs), and at the table if one has. What is posted in the same process rings
at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from outlast.core.commanding import over
from outlast.core.commands import COMMANDS_VERSION, Command, Reader
from outlast.core.errors import (
    JournalCorrupt,
    JournalError,
    RunConflict,
    RunHasEnded,
    RunNotFound,
    StorageBusy,
)
from outlast.definitions.clock import wall_us
from outlast.definitions.forks import at_fork, take
from outlast.journal.database import (
    STORAGE_ERRORS,
    closed_error,
    connect,
    storage_error,
    transaction,
)
from outlast.journal.rows import find

LOOK_S = 0.05
"""How often a process looks for what others have posted."""
_BUSY_INLINE_MS = 25
_BUSY_PAUSE_S = 0.005
_PUT = "INSERT INTO inbox (run, id, at, version, crc, body) VALUES (?, ?, ?, ?, 0, ?)"
_SEAL = "UPDATE inbox SET crc = ? WHERE number = ?"
_PENDING = "SELECT number, id, at, version, crc, body FROM inbox WHERE run = ? AND number > ? ORDER BY number"
_SAME = "SELECT body FROM inbox WHERE run = ? AND id = ?"
_NEWS = (
    "SELECT DISTINCT run.id FROM inbox JOIN run ON run.number = inbox.run WHERE inbox.number > ?"
)
_LAST = "SELECT coalesce(max(number), 0) FROM inbox"
_WAITS = "SELECT 1 FROM inbox WHERE run = ? AND number > ? LIMIT 1"
_FORGET = "DELETE FROM inbox WHERE run = ?"
_pack = struct.Struct("<4q").pack
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Command).decode


def waits(db: sqlite3.Connection, lease: Reader) -> bool:
    """Whether a command waits that the holder of the lease has not seen."""
    return db.execute(_WAITS, (lease.number, lease.heard)).fetchone() is not None


def forget_commands(db: sqlite3.Connection, number: int) -> None:
    """Delete the commands of a run that is deleted."""
    db.execute(_FORGET, (number,))


def accepts(run_id: str, status: str, command: Command) -> None:
    """Refuse what a run of this status cannot be told any more.

    Raises:
        RunHasEnded: It is over.
    """
    is_final = status in ("completed", "cancelled")
    if not is_final and (
        status != "failed" or _kind(command) in ("cancel", "raise_limit", "top_up")
    ):
        return
    error = RunHasEnded(over(run_id, status))
    error.run_id, error.status = run_id, status
    raise error


def _kind(command: Command) -> str:
    return str(type(command).__struct_config__.tag)


class _Bells:
    """Who is to be told of commands, in one loop, and how far this loop has looked."""

    __slots__ = ("is_looking", "last", "rings", "version")

    def __init__(self) -> None:
        self.rings: dict[str, Callable[[], None]] = {}
        self.version = -1
        self.last = -1
        self.is_looking = False


class Bells:
    """Who wants to know of commands to which run, in whichever loops they live."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.loops: dict[asyncio.AbstractEventLoop, _Bells] = {}

    def here(self) -> _Bells:
        """Those of this thread's loop."""
        loop = asyncio.get_running_loop()
        bells = self.loops.get(loop)
        if bells is None:
            with self._lock:
                for ended in [old for old in self.loops if old.is_closed()]:
                    del self.loops[ended]
                bells = self.loops[loop] = _Bells()
        return bells

    def ring(self, run_id: str) -> None:
        """Tell whoever listens for the run, in whichever thread."""
        for loop, bells in list(self.loops.items()):
            bell = bells.rings.get(run_id)
            if bell is not None:
                with suppress(RuntimeError):  # Its loop has ended meanwhile.
                    loop.call_soon_threadsafe(bell)

    def listen(self, run_id: str, ring: Callable[[], None]) -> Callable[[], None]:
        """See `Inbox.listen`."""
        rings = self.here().rings
        rings[run_id] = ring

        def leave() -> None:
            if rings.get(run_id) is ring:
                del rings[run_id]

        return leave


class MemoryInbox:
    """Forgets everything with its process."""

    def __init__(self, status: Callable[[str], str | None]) -> None:
        """``status`` says what a run has come to; None where there is no such run."""
        self._status = status
        self._posted: dict[str, list[Command]] = {}
        self._lock = threading.Lock()
        self._bells = Bells()

    def post(self, run_id: str, command: Command, *, patience_s: float = 0.5) -> None:
        del patience_s
        with self._lock:
            status = self._status(run_id)
            if status is None:
                raise RunNotFound(f"There is no run {run_id!r} in this process's memory.")
            known = self._posted.get(run_id, ())
            if (same := next((each for each in known if each.id == command.id), None)) is not None:
                _check_same(run_id, _encode(same), _encode(command), command.id)
                return
            accepts(run_id, status, command)
            self._posted.setdefault(run_id, []).append(command)
        self._bells.ring(run_id)

    def pending(self, lease: Reader) -> Sequence[Command]:
        found = self._posted.get(lease.run_id, [])[lease.heard :]
        lease.heard += len(found)
        return found

    def listen(self, run_id: str, ring: Callable[[], None]) -> Callable[[], None]:
        return self._bells.listen(run_id, ring)

    def waits(self, lease: Reader) -> bool:
        """Whether a command waits that the holder of the lease has not seen."""
        return len(self._posted.get(lease.run_id, ())) > lease.heard

    def forget(self, run_id: str) -> None:
        """The run is deleted."""
        self._posted.pop(run_id, None)


class SqliteInbox:
    """Keeps them in a journal's file, by connections of its own that the first use opens.

    One reads and one writes, so whoever performs runs here never waits for the disk of who posts here.
    """

    def __init__(
        self, path: Path, *, power: bool, on_open: Callable[[], None] | None = None
    ) -> None:
        """``on_open`` is called before a file is opened."""
        self._path = path
        self._power = power
        self._on_open = on_open
        self._locks = {"read": threading.Lock(), "write": threading.Lock()}
        self._opened: dict[str, sqlite3.Connection] = {}
        self._is_closed = False
        self._bells = Bells()
        at_fork(self)

    def post(self, run_id: str, command: Command, *, patience_s: float = 0.5) -> None:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                self._post(run_id, command)
                break
            except StorageBusy:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_BUSY_PAUSE_S)
        self._bells.ring(run_id)

    def pending(self, lease: Reader) -> Sequence[Command]:
        if not lease.number:
            return ()
        rows = self._read(_PENDING, (lease.number, lease.heard))
        found: list[Command] = []
        for row in rows:
            command = _checked(lease.run_id, *row)
            lease.heard = row[0]
            if command is not None:
                found.append(command)
        return found

    def listen(self, run_id: str, ring: Callable[[], None]) -> Callable[[], None]:
        bells = self._bells.here()
        if not bells.is_looking:
            bells.is_looking = True
            asyncio.get_running_loop().call_later(LOOK_S, self._look, bells)
        return self._bells.listen(run_id, ring)

    def close(self) -> None:
        """Close the connection, for good."""
        self._is_closed = True
        for name, lock in self._locks.items():
            with lock:
                self._leave(name)

    def rest(self) -> bool:
        """See `Restable`. The next use opens other connections."""
        for name, lock in self._locks.items():
            if not lock.acquire(blocking=False):
                return False
            try:
                self._leave(name)
            finally:
                lock.release()
        return True

    def before_fork(self) -> None:
        """See `Forked`. The next use opens other connections."""
        for name, lock in self._locks.items():
            if take(lock):
                self._leave(name)

    def in_child(self) -> None:
        """See `Forked`. Who listens is the parent's."""
        self._locks = {name: threading.Lock() for name in self._locks}
        self._bells = Bells()

    def _leave(self, name: str) -> None:
        if name not in self._opened:
            return
        self._opened.pop(name).close()
        if name == "read":  # What a connection says of changes means nothing to the next one.
            for bells in self._bells.loops.values():
                bells.version = -1

    def _look(self, bells: _Bells) -> None:
        """Ring for what other processes have posted, and look again as long as somebody listens."""
        if not bells.rings or self._is_closed:
            bells.is_looking = False
            return
        asyncio.get_running_loop().call_later(LOOK_S, self._look, bells)
        with suppress(JournalError):  # Whoever appends finds out, and says so.
            for run_id in self._news(bells):
                if (ring := bells.rings.get(run_id)) is not None:
                    ring()

    def _news(self, bells: _Bells) -> list[str]:
        """The runs that commands have come for since this loop has looked last."""
        ((version,),) = self._read("PRAGMA data_version")
        if version == bells.version:
            return []
        ((last,),) = self._read(_LAST)
        before, bells.last, bells.version = bells.last, last, version
        if before < 0:
            return list(bells.rings)
        return [run_id for (run_id,) in self._read(_NEWS, (before,))] if last != before else []

    def _post(self, run_id: str, command: Command) -> None:
        try:
            with self._locks["write"], transaction(self._db("write")) as db:
                self._put(db, run_id, command)
        except STORAGE_ERRORS as error:
            raise storage_error(error, self._path) from error

    def _put(self, db: sqlite3.Connection, run_id: str, command: Command) -> None:
        row = find(db, run_id)
        if row is None:
            raise RunNotFound(f"There is no run {run_id!r} in the journal {str(self._path)!r}.")
        body, at = _encode(command), wall_us()
        known = db.execute(_SAME, (row.number, command.id)).fetchone()
        if known is not None:
            _check_same(run_id, known[0], body, command.id)
            return
        accepts(run_id, row.status, command)
        number = db.execute(_PUT, (row.number, command.id, at, COMMANDS_VERSION, body)).lastrowid
        assert number is not None
        crc = _checksum(run_id, number, command.id, at, COMMANDS_VERSION, body)
        db.execute(_SEAL, (crc, number))

    def _read(self, query: str, about: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._locks["read"]:
                return self._db("read").execute(query, about).fetchall()
        except STORAGE_ERRORS as error:
            raise storage_error(error, self._path) from error

    def _db(self, name: str) -> sqlite3.Connection:
        if self._is_closed:
            raise closed_error(self._path)
        db = self._opened.get(name)
        if db is None:
            if self._on_open is not None:
                self._on_open()
            is_read = name == "read"
            db = self._opened[name] = connect(
                self._path, busy_ms=_BUSY_INLINE_MS, read_only=is_read
            )
            if self._power and not is_read:
                db.execute("PRAGMA synchronous = FULL")
        return db


def _checked(  # noqa: PLR0913  # the fields of a row
    run_id: str, number: int, name: str, at: int, version: int, crc: int, body: bytes
) -> Command | None:
    """The command; None where a newer version posted what this one does not know.

    Raises:
        JournalCorrupt: It is not what was posted.
    """
    try:
        is_sound = crc == _checksum(run_id, number, name, at, version, body)
    except (TypeError, AttributeError, struct.error, UnicodeError):
        is_sound = False  # SQLite lets a damaged file hand out other types than were stored.
    if not is_sound:
        error = JournalCorrupt(
            f"Command {number} to run {run_id!r} does not match its checksum. The journal's file was "
            "damaged or changed by something other than Outlast; restore it from a copy. Other runs "
            "are not affected."
        )
        error.run_id = run_id
        raise error
    try:
        return _decode(body)
    except msgspec.DecodeError:
        return None


def _checksum(
    run_id: str, number: int, name: str, at: int, version: int, body: bytes
) -> int:  # the fields of a row
    names = f"{run_id}\0{name}".encode()
    return crc32(body, crc32(_pack(number, at, version, len(names)) + names))


def _check_same(run_id: str, known: bytes, body: bytes, name: str) -> None:
    def bare(command: bytes) -> dict[str, Any]:
        fields = msgspec.json.decode(command)
        fields.pop("at", None)
        return fields

    if bare(known) != bare(body):
        error = RunConflict(
            f"Run {run_id!r} was given another command with the id {name!r}. Give each command an id of "
            "its own; this one was not posted."
        )
        error.run_id = run_id
        raise error
