"""Where the health of models is kept: in the journal's file, for all processes that use it.

A record is read and written in one transaction, by a pure function of what is there. Losing all of
it loses nothing but caution, so a commit here waits for no disk.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from outlast.calls.health import Change, Health
from outlast.core.errors import StorageBusy
from outlast.definitions.forks import at_fork, take
from outlast.journal.database import closed_error, connect, storage_error, transaction

_T = TypeVar("_T")

_BUSY_INLINE_MS = 5
_PAUSE_S = (0.002, 0.02)
_HEALTHY = Health()
_PUT = "INSERT INTO health (key, body) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET body = ?2"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Health).decode


class MemoryHealth:
    """Forgets everything with its process."""

    def __init__(self) -> None:
        self._kept: dict[str, Health] = {}

    def get(self, key: str) -> Health:
        return self._kept.get(key, _HEALTHY)

    async def change(self, key: str, change: Change[_T]) -> _T:
        self._kept[key], answer = change(self.get(key))
        return answer

    def all(self) -> dict[str, Health]:
        return dict(self._kept)

    async def clear(self) -> None:
        self._kept.clear()


class SqliteHealth:
    """Keeps it in a journal's file, by a connection of its own that the first use opens."""

    def __init__(
        self,
        path: Path,
        *,
        busy_s: float = 10.0,
        on_open: Callable[[], None] | None = None,
    ) -> None:
        """``on_open`` is called before a file is opened."""
        self._path = path
        self._busy_s = busy_s
        self._on_open = on_open
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._is_closed = False
        at_fork(self)

    def get(self, key: str) -> Health:
        with self._lock:
            try:
                return _found(self._db(), key)
            except sqlite3.Error as error:
                raise storage_error(error, self._path) from error

    async def change(self, key: str, change: Change[_T]) -> _T:
        return await self._patiently(lambda db: _changed(db, key, change))

    def all(self) -> dict[str, Health]:
        with self._lock:
            try:
                rows = self._db().execute("SELECT key, body FROM health ORDER BY key").fetchall()
            except sqlite3.Error as error:
                raise storage_error(error, self._path) from error
        return {key: _read(body) for key, body in rows}

    async def clear(self) -> None:
        await self._patiently(lambda db: db.execute("DELETE FROM health"))

    def close(self) -> None:
        """Close the connection, for good."""
        with self._lock:
            self._is_closed = True
            self._leave()

    def rest(self) -> bool:
        """See `Restable`. The next use opens another connection."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._leave()
        finally:
            self._lock.release()
        return True

    def before_fork(self) -> None:
        """See `Forked`. The next use opens another connection."""
        if take(self._lock):
            self._leave()

    def in_child(self) -> None:
        """See `Forked`."""
        self._lock = threading.Lock()

    def _leave(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    async def _patiently(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        deadline = time.monotonic() + self._busy_s
        while True:
            try:
                return self._transact(work)
            except StorageBusy:
                if time.monotonic() > deadline:
                    raise
            # Not in SQLite's own wait, which would hold the loop.
            await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311  # not for secrets

    def _transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            with self._lock, transaction(self._db()) as db:
                return work(db)
        except sqlite3.Error as error:
            raise storage_error(error, self._path) from error

    def _db(self) -> sqlite3.Connection:
        if self._is_closed:
            raise closed_error(self._path)
        if self._opened is None:
            if self._on_open is not None:
                self._on_open()
            self._opened = connect(self._path, busy_ms=_BUSY_INLINE_MS)
        return self._opened


def _changed(db: sqlite3.Connection, key: str, change: Change[_T]) -> _T:
    before = _found(db, key)
    after, answer = change(before)
    if after is not before:
        db.execute(_PUT, (key, _encode(after)))
    return answer


def _found(db: sqlite3.Connection, key: str) -> Health:
    row = db.execute("SELECT body FROM health WHERE key = ?", (key,)).fetchone()
    return _HEALTHY if row is None else _read(row[0])


def _read(body: bytes) -> Health:
    try:
        return _decode(body)
    except msgspec.DecodeError:  # Of a later version, or damaged: nothing that has to be kept.
        return _HEALTHY
