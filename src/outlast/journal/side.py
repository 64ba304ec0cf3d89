"""A connection of its own for what stands in a journal's file beside the logs."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from outlast.core.errors import StorageBusy
from outlast.definitions.forks import at_fork, take
from outlast.journal.database import closed_error, connect, storage_error, transaction

_T = TypeVar("_T")
_BUSY_INLINE_MS = 5
_PAUSE_S = (0.002, 0.02)


class Side:
    """Reads and writes tables of a journal's file, by a connection that the first use opens."""

    def __init__(
        self,
        path: Path,
        *,
        busy_s: float = 10.0,
        on_open: Callable[[], None] | None = None,
        power: bool = False,
    ) -> None:
        """``on_open`` is called before a file is opened; ``power``: a commit waits for the disk."""
        self._path = path
        self._busy_s = busy_s
        self._on_open = on_open
        self._power = power
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._is_closed = False
        at_fork(self)

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What ``work`` reads."""
        with self._lock:
            try:
                return work(self._db())
            except sqlite3.Error as error:
                raise storage_error(error, self._path) from error

    async def transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What ``work`` says; what it writes is written, or nothing where it raises.

        Raises:
            StorageBusy: Others had the file for too long. Nothing was written.
        """
        deadline = time.monotonic() + self._busy_s
        while True:
            try:
                return self._transact(work)
            except StorageBusy:
                if time.monotonic() > deadline:
                    raise
            # Not in SQLite's own wait, which would hold the loop.
            await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311  # not for secrets

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
            if self._power:
                self._opened.execute("PRAGMA synchronous = FULL")
        return self._opened
