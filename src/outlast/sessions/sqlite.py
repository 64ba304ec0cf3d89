"""A session in a SQLite database, in the tables that openai-agents has.

One connection and one lock per session. A call works on the loop's thread, where it takes some
50 µs, unless the database or the connection is busy: then it waits in a thread. So a call is
never cancelled in the middle on the loop, and one in a thread is waited for before it raises.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from outlast.definitions.forks import at_fork, take
from outlast.sessions.rewriting import Change, plan
from outlast.sessions.session import (
    SessionABC,
    SessionSettings,
    check_items,
    item_text,
    session_settings_from,
)
from outlast.sessions.sqlite_tables import (
    BUSY_TIMEOUT_S,
    SessionTables,
    database_file,
    decoded,
    is_busy,
    open_database,
)
from outlast.sessions.stored import run_to_end

if TYPE_CHECKING:
    from outlast.definitions.run_items import TResponseInputItem

_T = TypeVar("_T")


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
        UserError: The file cannot be opened or made; a `sqlite3.OperationalError`, too.
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
        self._tables = SessionTables(sessions_table, messages_table)
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_synced = self._must_sync = False
        self._path = database_file(db_path)
        self._connection: sqlite3.Connection | None = self._opened()
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
        check_items(items)
        rows = [(self.session_id, item_text(item)) for item in items]
        await self._run(lambda connection: self._insert(connection, rows))

    async def pop_item(self) -> TResponseInputItem | None:
        return await self._run(self._pop)

    async def pop_item_if(
        self, check: Callable[[TResponseInputItem], None]
    ) -> TResponseInputItem | None:
        """`pop_item`, unless ``check`` raises: then the item stays, and nobody sees it gone."""
        return await self._run(lambda connection: self._pop(connection, check))

    async def clear_session(self) -> None:
        await self._run(self._clear)

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`. Rows that cannot be read stay where they are."""
        return await self._run(lambda connection: self._rewrite(connection, change))

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

    def __del__(self) -> None:
        """Close what nobody can close any more: Python 3.13 asks for it."""
        connection: sqlite3.Connection | None = getattr(self, "_connection", None)
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

    # --- What is done with the tables. ----------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        return open_database(
            self._path, lambda connection: connection.executescript(self._tables.schema)
        )

    def _newest(self, connection: sqlite3.Connection, limit: int | None) -> list[Any]:
        return newest_items(connection.execute(self._tables.newest, (self.session_id,)), limit)

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[str, str]]) -> None:
        if not rows:
            return
        with transaction(connection):
            connection.execute(self._tables.touch, (self.session_id,))
            connection.executemany(self._tables.insert, rows)

    def _pop(
        self, connection: sqlite3.Connection, check: Callable[[Any], None] | None = None
    ) -> Any:
        with transaction(connection):
            item = self._take_newest(connection)
            if item is not None and check is not None:
                check(item)
            return item

    def _take_newest(self, connection: sqlite3.Connection) -> Any:
        while rows := connection.execute(self._tables.pop, (self.session_id,)).fetchall():
            if (item := decoded(rows[0][0])) is not None:
                return item
        return None

    def _rewrite(self, connection: sqlite3.Connection, change: Change) -> bool:
        with transaction(connection):
            rows = connection.execute(self._tables.rows, (self.session_id,)).fetchall()
            step = rewriting(rows, self.session_id, change)
            if step is None:
                return False
            connection.executemany(self._tables.drop, step.dropped)
            connection.execute(self._tables.touch, (self.session_id,))
            connection.executemany(self._tables.insert, step.added)
            return True

    def _clear(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):
            for statement in self._tables.clear:
                connection.execute(statement, (self.session_id,))

    # --- How it is done. -----------------------------------------------------------------

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._lock.acquire(blocking=False):
            try:
                return work(self._open_connection())
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            finally:
                self._lock.release()
        return await run_to_end(asyncio.to_thread(self._run_waiting, work))

    def _run_waiting(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._locked_connection() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
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
            self._connection, self._is_synced = self._opened(), False
        if self._must_sync and not self._is_synced:
            self._connection.execute("PRAGMA synchronous = FULL")
            self._is_synced = True
        return self._connection


def newest_items(rows: Iterable[tuple[str]], limit: int | None) -> list[Any]:
    """The first ``limit`` items that can be read of ``rows``, which are newest first, turned round.

    Less than 0 is no limit, as in SQLite.
    """
    items: list[Any] = []
    for (data,) in rows if limit != 0 else ():
        if (item := decoded(data)) is not None:
            items.append(item)
        if len(items) == limit:
            break
    items.reverse()
    return items


class Rewriting(NamedTuple):
    """Rows to drop, by their ids, and rows to add."""

    dropped: list[tuple[int]]
    added: list[tuple[str, str]]


def rewriting(rows: Iterable[tuple[int, str]], session_id: str, change: Change) -> Rewriting | None:
    """What ``change`` means for the rows of a session, oldest first; None if it leaves them."""
    known = [(key, item) for key, data in rows if (item := decoded(data)) is not None]
    stored = [item for _, item in known]
    wanted = change(stored)
    if wanted is None:
        return None
    dropped, added = plan(stored, wanted)
    return Rewriting(
        [(known[place][0],) for place in dropped],
        [(session_id, item_text(item)) for item in added],
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """What happens in it happens whole or not at all."""
    with connection:  # It commits, or rolls back.
        # The lock for writing is taken first, so nothing is half done when it is not to be had.
        connection.execute("BEGIN IMMEDIATE")
        yield
