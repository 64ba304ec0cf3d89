"""A session in a SQLite database, in the tables that openai-agents has.

One connection and one lock per session. A call works on the loop's thread, where it takes some
50 µs, unless the database or the connection is busy: then it waits in a thread. So a call is
never cancelled in the middle on the loop, and one in a thread is waited for before it raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from outlast.definitions.forks import at_fork, take
from outlast.sessions.session import SessionABC, SessionSettings, session_settings_from

if TYPE_CHECKING:
    from outlast.definitions.run_items import TResponseInputItem

_T = TypeVar("_T")
_BUSY_TIMEOUT_S = 5.0
_RETRY_S = 0.01
_IN_MEMORY = ("", ":memory:")


class SQLiteSession(SessionABC):
    """A conversation in a SQLite file, or in memory.

    Any number of sessions, threads and processes may share a file. A row that is no JSON object
    is passed over.

    Args:
        session_id: The conversation.
        db_path: The file; it is made if need be. ``":memory:"`` is private to this object.
        sessions_table: The table of conversations.
        messages_table: The table of items.
        session_settings: How the session is read where a run does not say.

    Raises:
        sqlite3.OperationalError: The file cannot be opened or made.
        TypeError: ``session_settings`` has a key that is no setting.
    """

    session_settings: SessionSettings | None

    def __init__(
        self,
        session_id: str,
        db_path: str | Path = ":memory:",
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        self.session_id = session_id
        self.session_settings = session_settings_from(session_settings) or SessionSettings()
        self.db_path = db_path
        self.sessions_table = sessions_table
        self.messages_table = messages_table
        self._sessions, self._messages = _quoted(sessions_table), _quoted(messages_table)
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_synced = self._must_sync = False
        # Absolute: a fork closes the connection, and the working directory may be another by then.
        self._path = "" if str(db_path) in _IN_MEMORY else str(Path(db_path).absolute())
        self._connection: sqlite3.Connection | None = _opened(self._path, self._schema())
        at_fork(self)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first.

        Args:
            limit: None stands for the limit of ``session_settings``; less than 0 for no limit.
        """
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        return await self._run(lambda connection: self._newest(connection, limit))

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        # Encoded first, so that an item that cannot be kept leaves no half of the others.
        rows = [(self.session_id, json.dumps(item)) for item in items]
        await self._run(lambda connection: self._insert(connection, rows))

    async def pop_item(self) -> TResponseInputItem | None:
        return await self._run(self._pop)

    async def clear_session(self) -> None:
        await self._run(self._clear)

    def sync_writes(self) -> None:
        """From here on, what is added has reached the disk when `add_items` returns.

        A run whose log survives a power cut asks for it, so that its session survives the same.
        """
        self._must_sync = True

    def close(self) -> None:
        """Close the database. Every later call raises `RuntimeError`; a second close does not."""
        with self._lock:
            connection, self._connection, self._is_closed = self._connection, None, True
        if connection is not None:
            connection.close()

    def before_fork(self) -> None:
        """See `Forked`. The next use opens the file again; what is in memory only is copied."""
        if take(self._lock) and self._path and self._connection is not None:
            self._connection.close()
            self._connection = None

    def in_child(self) -> None:
        """See `Forked`."""
        self._lock = threading.Lock()

    # --- What is done with the tables. Their names are quoted; everything else is bound. --

    def _schema(self) -> str:
        index = _quoted(f"idx_{self.messages_table}_session_id")
        return f"""
            BEGIN IMMEDIATE;
            CREATE TABLE IF NOT EXISTS {self._sessions} (
                session_id TEXT PRIMARY KEY,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
                updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
            );
            CREATE TABLE IF NOT EXISTS {self._messages} (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                session_id TEXT NOT NULL REFERENCES {self._sessions} (session_id) ON DELETE CASCADE,
                message_data TEXT NOT NULL,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
            );
            CREATE INDEX IF NOT EXISTS {index} ON {self._messages} (session_id, id);
            COMMIT;
        """

    def _newest(self, connection: sqlite3.Connection, limit: int | None) -> list[Any]:
        if limit == 0:
            return []
        items: list[Any] = []
        query = f"SELECT message_data FROM {self._messages} WHERE session_id = ? ORDER BY id DESC"  # noqa: S608
        rows: Iterable[tuple[str]] = connection.execute(query, (self.session_id,))
        for (data,) in rows:
            item = _decoded(data)
            if item is not None:
                items.append(item)
            if len(items) == limit:
                break
        items.reverse()
        return items

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[str, str]]) -> None:
        if not rows:
            return
        touch = (
            f"INSERT INTO {self._sessions} (session_id) VALUES (?) "  # noqa: S608
            "ON CONFLICT (session_id) DO UPDATE SET updated_at = CURRENT_TIMESTAMP"
        )
        insert = f"INSERT INTO {self._messages} (session_id, message_data) VALUES (?, ?)"  # noqa: S608
        with _transaction(connection):
            connection.execute(touch, (self.session_id,))
            connection.executemany(insert, rows)

    def _pop(self, connection: sqlite3.Connection) -> Any:
        pop = (
            f"DELETE FROM {self._messages} WHERE id = (SELECT id FROM {self._messages} "  # noqa: S608
            "WHERE session_id = ? ORDER BY id DESC LIMIT 1) RETURNING message_data"
        )
        with _transaction(connection):
            while rows := connection.execute(pop, (self.session_id,)).fetchall():
                if (item := _decoded(rows[0][0])) is not None:
                    return item
        return None

    def _clear(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection):
            for table in (self._messages, self._sessions):
                connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (self.session_id,))  # noqa: S608

    # --- How it is done. -----------------------------------------------------------------

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._lock.acquire(blocking=False):
            try:
                return work(self._open_connection())
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
            finally:
                self._lock.release()
        return await _await_mutation(asyncio.to_thread(self._run_waiting, work))

    def _run_waiting(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._locked_connection() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_TIMEOUT_S * 1000)}")
            try:
                return work(connection)
            finally:
                connection.execute("PRAGMA busy_timeout = 0")

    @contextmanager
    def _locked_connection(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            yield self._open_connection()

    def _open_connection(self) -> sqlite3.Connection:
        if self._is_closed:
            raise RuntimeError(
                f"SQLiteSession is closed (session {self.session_id!r}). Make a new one to go on."
            )
        if self._connection is None:
            self._connection, self._is_synced = _opened(self._path, self._schema()), False
        if self._must_sync and not self._is_synced:
            self._connection.execute("PRAGMA synchronous = FULL")
            self._is_synced = True
        return self._connection


async def _await_mutation(mutation: Awaitable[_T]) -> _T:
    """Wait for ``mutation`` to the end even if cancelled, so that its outcome is never unknown."""
    task = asyncio.ensure_future(mutation)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(asyncio.wait([task]))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # The caller has been cancelled; a failure is nobody's any more.
    raise cancelled


def _opened(path: str, schema: str) -> sqlite3.Connection:
    if path:
        _make_private(path)
    connection = sqlite3.connect(
        path or ":memory:", timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        _switch_to_wal(connection)
        connection.executescript(schema)
        connection.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: str) -> None:
    """Begin the file as one that only its owner may read: SQLite would ask the umask."""
    with contextlib.suppress(OSError):  # It is there, or cannot be: SQLite says which.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work side by side. SQLite does not wait for this lock by itself."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            connection.execute("PRAGMA synchronous = NORMAL")
            return


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    with connection:  # It commits, or rolls back.
        # The lock for writing is taken first, so nothing is half done when it is not to be had.
        connection.execute("BEGIN IMMEDIATE")
        yield


def _is_busy(error: sqlite3.OperationalError) -> bool:
    # An extended code holds the plain one in its lowest byte.
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _decoded(data: str) -> dict[str, Any] | None:
    try:
        item: object = json.loads(data)
    except ValueError:
        return None
    return cast("dict[str, Any]", item) if isinstance(item, dict) else None
