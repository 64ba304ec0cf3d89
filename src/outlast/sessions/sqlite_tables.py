"""The two tables of a session in SQLite, as openai-agents has them, and how their file is opened."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

from outlast.core.errors import UserError, WrongType

BUSY_TIMEOUT_S = 5.0
_RETRY_S = 0.01
_IN_MEMORY = ("", ":memory:")


class SessionTables:
    """The SQL over the tables of conversations and of items.

    Their names are quoted; everything else is bound.
    """

    def __init__(self, sessions_table: str, messages_table: str) -> None:
        self.sessions = quoted(sessions_table)
        self.messages = quoted(messages_table)
        index = quoted(f"idx_{messages_table}_session_id")
        self.statements = (
            f"""CREATE TABLE IF NOT EXISTS {self.sessions} (
                session_id TEXT PRIMARY KEY,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
                updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
            )""",
            f"""CREATE TABLE IF NOT EXISTS {self.messages} (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                session_id TEXT NOT NULL REFERENCES {self.sessions} (session_id) ON DELETE CASCADE,
                message_data TEXT NOT NULL,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
            )""",
            f"CREATE INDEX IF NOT EXISTS {index} ON {self.messages} (session_id, id)",
        )
        self.newest = (
            f"SELECT message_data FROM {self.messages} WHERE session_id = ? ORDER BY id DESC"  # noqa: S608
        )
        self.rows = f"SELECT id, message_data FROM {self.messages} WHERE session_id = ? ORDER BY id"  # noqa: S608
        self.drop = f"DELETE FROM {self.messages} WHERE id = ?"  # noqa: S608
        self.touch = (
            f"INSERT INTO {self.sessions} (session_id) VALUES (?) "  # noqa: S608
            "ON CONFLICT (session_id) DO UPDATE SET updated_at = CURRENT_TIMESTAMP"
        )
        self.insert = f"INSERT INTO {self.messages} (session_id, message_data) VALUES (?, ?)"  # noqa: S608
        self.pop = (
            f"DELETE FROM {self.messages} WHERE id = (SELECT id FROM {self.messages} "  # noqa: S608
            "WHERE session_id = ? ORDER BY id DESC LIMIT 1) RETURNING message_data"
        )
        self.clear = tuple(
            f"DELETE FROM {table} WHERE session_id = ?"  # noqa: S608
            for table in (self.messages, self.sessions)
        )

    @property
    def schema(self) -> str:
        """A script that makes the tables unless they are there, as one unit."""
        return ";\n".join(("BEGIN IMMEDIATE", *self.statements, "COMMIT;"))


def database_file(db_path: str | os.PathLike[str]) -> str:
    """Where the database is; empty if only in memory.

    Absolute: the working directory may be another one when the file is opened again.
    """
    if not isinstance(db_path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
        raise WrongType(
            f"db_path must be a path, or ':memory:', got {type(db_path).__name__}. Leave it out for a "
            "session that only this object has."
        )
    return "" if str(db_path) in _IN_MEMORY else str(Path(db_path).absolute())


def make_private(path: str) -> None:
    """Begin the file as one that only its owner may read: SQLite would ask the umask."""
    with contextlib.suppress(OSError):  # It is there, or cannot be: SQLite says which.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextlib.contextmanager
def naming(path: str) -> Generator[None]:
    """A block in which a file is opened: where it cannot be, the error names it.

    Raises:
        UserError: The file cannot be opened or made, or is no database; it is SQLite's error, too.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not path or getattr(error, "sqlite_errorcode", 0) & 0xFF not in _OF_THE_FILE:
            raise
        raise _unavailable(Path(path), error) from error


_OF_THE_FILE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


def _unavailable(file: Path, error: sqlite3.DatabaseError) -> Exception:
    if file.is_dir():
        why = "it is a folder. Name a file in it."
    elif not file.parent.is_dir():
        why = f"there is no folder {file.parent}. Make the folder first, or name another file."
    else:
        why = f"{error}. Let this program read and write it and its folder, or name another file."
    # Both families: callers of openai-agents have learned to catch SQLite's error.
    kind = type("SessionFileUnavailable", (UserError, type(error)), {})
    made: Any = kind(f"The conversations' file {file} cannot be opened: {why}")
    made.sqlite_errorcode, made.sqlite_errorname = error.sqlite_errorcode, error.sqlite_errorname
    return made


def open_database(path: str, prepare: Callable[[sqlite3.Connection], object]) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time, to a database that ``prepare`` has seen.

    A call on it does not wait for a database that is busy.

    Raises:
        UserError: The file cannot be opened or made, or is no database; it is SQLite's error, too.
    """
    if path:
        make_private(path)
    with naming(path):
        connection = sqlite3.connect(
            path or ":memory:",
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _switch_to_wal(connection)
            prepare(connection)
            connection.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            connection.close()
            raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work side by side. SQLite does not wait for this lock by itself."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            connection.execute("PRAGMA synchronous = NORMAL")
            return


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether somebody else has the lock that was wanted."""
    # An extended code holds the plain one in its lowest byte.
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def quoted(name: str) -> str:
    """``name`` as an identifier in SQL, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def decoded(data: str) -> dict[str, Any] | None:
    """The item of a row; None if it is no JSON object."""
    try:
        item: object = json.loads(data)
    except ValueError:
        return None
    return cast("dict[str, Any]", item) if isinstance(item, dict) else None
