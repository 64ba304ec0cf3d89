"""A session in SQLite that works in a thread of its own, through `aiosqlite`."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlast.definitions.forks import at_fork, leave_to_parent
from outlast.sessions.extras import library
from outlast.sessions.per_loop import LoopsLock
from outlast.sessions.rewriting import Change
from outlast.sessions.session import SessionSettings, check_items, item_text
from outlast.sessions.sqlite import newest_items, rewriting
from outlast.sessions.sqlite_tables import (
    BUSY_TIMEOUT_S,
    SessionTables,
    database_file,
    decoded,
    is_busy,
    make_private,
    naming,
)
from outlast.sessions.stored import StoredSession, run_to_end

if TYPE_CHECKING:
    import aiosqlite

    from outlast.definitions.run_items import TResponseInputItem

_RETRY_S = 0.01


class AsyncSQLiteSession(StoredSession):
    """A conversation in a SQLite file that is read and written off the event loop's thread.

    It reads and writes the tables of `SQLiteSession`. Any number of sessions, loops and processes
    may share a file. Needs the extra ``sqlite``.

    Args:
        session_id: The conversation.
        db_path: The file; it is made at the first use. ``":memory:"`` is private to this object.
        sessions_table: The table of conversations.
        messages_table: The table of items.
        session_settings: How the session is read where a run does not say.

    Raises:
        ImportError: `aiosqlite` is not installed.
        RuntimeError: By every call after `close`.
    """

    def __init__(
        self,
        session_id: str,
        db_path: str | Path = ":memory:",
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        *,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        super().__init__(session_id, session_settings)
        library("aiosqlite", "AsyncSQLiteSession", "sqlite")
        self.db_path = db_path
        self.sessions_table = sessions_table
        self.messages_table = messages_table
        self._tables = SessionTables(sessions_table, messages_table)
        self._path = database_file(db_path)
        self._lock = LoopsLock()
        self._connection: aiosqlite.Connection | None = None
        self._closed = False
        self._must_sync = False
        at_fork(self)

    def before_fork(self) -> None:
        """See `Forked`. The connection stays the parent's."""

    def in_child(self) -> None:
        """See `Forked`. The thread of the connection is the parent's: the child opens another one."""
        leave_to_parent(self._connection)
        self._connection = None

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first.

        Args:
            limit: None stands for the limit of ``session_settings``; less than 0 for no limit.
        """
        limit = self.read_limit(limit)
        async with self._lock:
            connection = await self._open_connection()
            # Rows that cannot be read do not count, so all of them may have to be looked at.
            cursor = await connection.execute(self._tables.newest, (self.session_id,))
            try:
                return newest_items([(row[0],) async for row in cursor], limit)
            finally:
                await cursor.close()

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        check_items(items)
        rows = [(self.session_id, item_text(item)) for item in items]
        await run_to_end(self._insert(rows))

    async def pop_item(self) -> TResponseInputItem | None:
        return await run_to_end(self._pop())

    async def clear_session(self) -> None:
        await run_to_end(self._clear())

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`. Rows that cannot be read stay where they are."""
        return await run_to_end(self._rewrite(change))

    def sync_writes(self) -> None:
        """From here on, what is added has reached the disk when `add_items` returns."""
        self._must_sync = True

    async def close(self) -> None:
        """Close the database. Every later call raises `RuntimeError`; a second close does not."""
        self._closed = True
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                await run_to_end(connection.close())

    async def _insert(self, rows: list[tuple[str, str]]) -> None:
        async with self._transaction() as connection:
            if rows:
                await connection.execute(self._tables.touch, (self.session_id,))
                await connection.executemany(self._tables.insert, rows)

    async def _pop(self) -> Any:
        async with self._transaction() as connection:
            while True:
                cursor = await connection.execute(self._tables.pop, (self.session_id,))
                rows = list(await cursor.fetchall())
                await cursor.close()
                if not rows:
                    return None
                if (item := decoded(rows[0][0])) is not None:
                    return item

    async def _rewrite(self, change: Change) -> bool:
        async with self._transaction() as connection:
            cursor = await connection.execute(self._tables.rows, (self.session_id,))
            rows = [(int(row[0]), str(row[1])) for row in await cursor.fetchall()]
            await cursor.close()
            step = rewriting(rows, self.session_id, change)
            if step is None:
                return False
            await connection.executemany(self._tables.drop, step.dropped)
            await connection.execute(self._tables.touch, (self.session_id,))
            await connection.executemany(self._tables.insert, step.added)
            return True

    async def _clear(self) -> None:
        async with self._transaction() as connection:
            for statement in self._tables.clear:
                await connection.execute(statement, (self.session_id,))

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[aiosqlite.Connection]:
        async with self._lock:
            connection = await self._open_connection()
            # The lock for writing is taken first, so nothing is half done when it is not to be had.
            await connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                await connection.execute("COMMIT")
            except BaseException:
                await self._abandon(connection)
                raise

    async def _abandon(self, connection: aiosqlite.Connection) -> None:
        """Roll back; a connection that cannot is closed, for it would hold the lock."""
        try:
            await connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection = None
            await connection.close()

    async def _open_connection(self) -> aiosqlite.Connection:
        if self._closed:
            raise RuntimeError(
                f"AsyncSQLiteSession is closed (session {self.session_id!r}). "
                "Make a new one to go on."
            )
        if self._connection is None:
            self._connection = await run_to_end(self._opened())
        if self._must_sync:
            await self._connection.execute("PRAGMA synchronous = FULL")
        return self._connection

    async def _opened(self) -> aiosqlite.Connection:
        import aiosqlite

        if self._path:
            make_private(self._path)
        with naming(self._path):
            if self._path:  # A thread of aiosqlite that cannot open its file may outlive the loop.
                sqlite3.connect(self._path).close()
            connection = await aiosqlite.connect(
                self._path or ":memory:", timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
            try:
                await _switch_to_wal(connection)
                await connection.executescript(self._tables.schema)
            except BaseException:
                await connection.close()
                raise
            return connection


async def _switch_to_wal(connection: aiosqlite.Connection) -> None:
    """Let readers and a writer work side by side. SQLite does not wait for this lock by itself."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            await connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            await asyncio.sleep(_RETRY_S)
        else:
            await connection.execute("PRAGMA synchronous = NORMAL")
            return
