"""A SQLite file beside the journal, for what is the server's own and in no run's log."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from outlast.journal.database import storage_error


class Database:
    """A file that all processes of a machine share. It is made and opened when it is first used.

    What SQLite raises is a `JournalError`, as for the journal.

    Args:
        file: Where it is.
        tables: The statements that make its tables where they are not there.
        survives_power_cuts: Whether what was written outlives the machine, and not only the process.
    """

    def __init__(self, file: Path, tables: str, *, survives_power_cuts: bool = True) -> None:
        self._file = file
        self._synchronous = "FULL" if survives_power_cuts else "NORMAL"
        self._tables = tables
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def read(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows that a query finds."""
        with self._used() as db, closing(db.execute(query, values)) as cursor:
            return cursor.fetchall()

    def write(self, query: str, values: Sequence[Any] = ()) -> int:
        """How many rows a statement has changed. They are committed, unless `alone` does that."""
        with self._used() as db, closing(db.execute(query, values)) as cursor:
            return cursor.rowcount

    @contextmanager
    def alone(self) -> Generator[None]:
        """A time in which no other process writes; what is written in it is committed at its end."""
        with self._used() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def close(self) -> None:
        """Close the file. Using it again opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _used(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._opened()
            except sqlite3.Error as error:
                raise storage_error(error, self._file, "server's file") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch(0o600)
            db = sqlite3.connect(
                self._file, timeout=10.0, isolation_level=None, check_same_thread=False
            )
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.executescript(self._tables)
            self._connection = db
        return self._connection
