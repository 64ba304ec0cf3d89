"""A session in any database that SQLAlchemy's asyncio engine reaches, in openai-agents' two tables."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from outlast.definitions.forks import at_fork
from outlast.sessions.extras import library
from outlast.sessions.per_loop import PerLoop, has_loop, held
from outlast.sessions.rewriting import Change, plan
from outlast.sessions.session import SessionSettings, item_text
from outlast.sessions.stored import StoredSession, run_to_end

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from outlast.definitions.run_items import TResponseInputItem

_T = TypeVar("_T")
_RETRIES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Waits before a write to a locked SQLite database is tried again."""
_BUSY_TIMEOUT_MS = 5000


class SQLAlchemySession(StoredSession):
    """A conversation in a database: PostgreSQL, MySQL, SQLite and whatever else SQLAlchemy speaks.

    Any number of processes may share it. A call of `add_items` is one transaction. The engine stays
    the caller's: dispose of it when it is not needed any more. Needs the extra ``sqlalchemy`` and
    the driver of the database.

    Args:
        session_id: The conversation.
        engine: Where the tables are.
        create_tables: Whether to make the tables, unless they are there, at the first use.
        sessions_table: The table of conversations.
        messages_table: The table of items.
        session_settings: How the session is read where a run does not say.
        ensure_ascii: Whether texts other than ASCII are written as escapes.

    Raises:
        ImportError: `sqlalchemy` is not installed.
    """

    def __init__(  # noqa: PLR0913  # upstream's signature
        self,
        session_id: str,
        *,
        engine: AsyncEngine,
        create_tables: bool = False,
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        session_settings: SessionSettings | dict[str, Any] | None = None,
        ensure_ascii: bool = True,
    ) -> None:
        library("sqlalchemy.ext.asyncio", type(self).__name__, "sqlalchemy")
        super().__init__(session_id, session_settings)
        self._given = engine
        self._own: PerLoop[AsyncEngine] | None = None
        self._must_create = create_tables
        self._ensure_ascii = ensure_ascii
        self._sessions, self._messages = _tables(sessions_table, messages_table)
        _shared(engine)

    @classmethod
    def from_url(
        cls,
        session_id: str,
        *,
        url: str,
        engine_kwargs: dict[str, Any] | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> SQLAlchemySession:
        """A session with an engine of its own, which `engine` gives for disposal.

        Args:
            session_id: The conversation.
            url: Of an asyncio driver, such as ``postgresql+asyncpg://user@host/name``.
            engine_kwargs: More arguments for the engine.
            session_settings: How the session is read where a run does not say.
            **kwargs: More arguments for the session.
        """
        sqlalchemy = library("sqlalchemy.ext.asyncio", cls.__name__, "sqlalchemy")
        make = partial(sqlalchemy.create_async_engine, url, **(engine_kwargs or {}))
        engine = make()
        session = cls(session_id, engine=engine, session_settings=session_settings, **kwargs)
        if not session._shared.has_one_connection:  # As a database in memory has.
            session._own = PerLoop(make, engine)
        return session

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for instance to dispose of it.

        A session that makes its own has one for each loop that uses it; outside of them, this is
        the first one.
        """
        return self._engine if has_loop() else self._given

    @property
    def _engine(self) -> AsyncEngine:
        return self._given if self._own is None else self._own.here()

    @property
    def _shared(self) -> _Shared:
        return _shared(self._engine)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, the oldest first; all of them if that is negative."""
        limit = self.read_limit(limit)
        if limit is not None and limit < 0:
            limit = None
        if limit == 0:
            return []
        async with self._reading() as connection:
            return await self.newest(limit, lambda count: self._tail(connection, count))

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        texts = await self.serialized(items)
        if texts:

            async def append(connection: AsyncConnection) -> None:
                await self._append(connection, texts)

            await run_to_end(self._retried(append))

    async def pop_item(self) -> TResponseInputItem | None:
        return await run_to_end(self._retried(self._pop))

    async def clear_session(self) -> None:
        await run_to_end(self._retried(self._clear))

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`. Rows that cannot be read stay where they are."""

        async def rewrite(connection: AsyncConnection) -> bool:
            return await self._rewrite(connection, change)

        return await run_to_end(self._retried(rewrite))

    async def _serialize_item(self, item: TResponseInputItem) -> str:
        return item_text(item, separators=(",", ":"), ensure_ascii=self._ensure_ascii)

    # --- What is done with the tables. ----------------------------------------------------

    async def _tail(self, connection: AsyncConnection, count: int | None) -> Sequence[str]:
        from sqlalchemy import select

        columns = self._messages.c
        query = select(columns.message_data).where(columns.session_id == self.session_id)
        newest_first = query.order_by(columns.id.desc())
        if count is not None:
            newest_first = newest_first.limit(count)
        rows = (await connection.execute(newest_first)).scalars().all()
        return list(reversed(rows))

    async def _append(self, connection: AsyncConnection, texts: Sequence[str]) -> None:
        await self._lock_session(connection, is_written=True)
        rows = [{"session_id": self.session_id, "message_data": text} for text in texts]
        await connection.execute(self._messages.insert(), rows)

    async def _pop(self, connection: AsyncConnection) -> TResponseInputItem | None:
        from sqlalchemy import select

        if not await self._lock_session(connection, is_written=False):
            return None
        columns = self._messages.c
        newest = (
            select(columns.id, columns.message_data)
            .where(columns.session_id == self.session_id)
            .order_by(columns.id.desc())
            .limit(1)
        )
        while (row := (await connection.execute(newest)).first()) is not None:
            await connection.execute(self._messages.delete().where(columns.id == row.id))
            if (item := await self.readable(row.message_data)) is not None:
                return item
        return None

    async def _rewrite(self, connection: AsyncConnection, change: Change) -> bool:
        from sqlalchemy import select

        await self._lock_session(connection, is_written=True)
        columns = self._messages.c
        query = select(columns.id, columns.message_data).order_by(columns.id)
        rows = await connection.execute(query.where(columns.session_id == self.session_id))
        known = [
            (row.id, item)
            for row in rows.all()
            if (item := await self.readable(row.message_data)) is not None
        ]
        stored = [item for _, item in known]
        if (wanted := change(stored)) is None:
            return False
        dropped, added = plan(stored, wanted)
        for place in dropped:
            await connection.execute(self._messages.delete().where(columns.id == known[place][0]))
        if texts := await self.serialized(added):
            new = [{"session_id": self.session_id, "message_data": text} for text in texts]
            await connection.execute(self._messages.insert(), new)
        return True

    async def _clear(self, connection: AsyncConnection) -> None:
        for table in (self._messages, self._sessions):
            await connection.execute(table.delete().where(table.c.session_id == self.session_id))

    async def _lock_session(self, connection: AsyncConnection, *, is_written: bool) -> bool:
        """Hold the conversation's row until the end of the transaction; False if there is none.

        A change of the row takes its lock on every database, also where none is asked for.
        """
        from sqlalchemy import func
        from sqlalchemy.exc import IntegrityError

        sessions = self._sessions
        touch = sessions.update().where(sessions.c.session_id == self.session_id)
        touch = touch.values(updated_at=func.current_timestamp())
        if (await connection.execute(touch)).rowcount:
            return True
        if not is_written:
            return False
        try:
            async with connection.begin_nested():
                await connection.execute(sessions.insert().values(session_id=self.session_id))
        except IntegrityError:
            if not (await connection.execute(touch)).rowcount:
                raise  # It is not that somebody else was first.
        return True

    # --- How it is done. -----------------------------------------------------------------

    async def _retried(self, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        from sqlalchemy.exc import OperationalError

        for wait in (*_RETRIES_S, None):
            try:
                async with self._writing() as connection:
                    return await work(connection)
            except OperationalError as error:
                if wait is None or "database is locked" not in str(error.orig):
                    raise
            await asyncio.sleep(wait)
        raise AssertionError

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[AsyncConnection]:
        await self._prepare()
        async with self._shared.alone(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[AsyncConnection]:
        await self._prepare()
        async with self._shared.alone(), self._engine.begin() as connection:
            yield connection

    async def _prepare(self) -> None:
        """Connect for the first time, and make the tables if this session is to, one at a time."""
        key = (self._sessions.name, self._messages.name) if self._must_create else None
        if key not in self._shared.prepared:
            await run_to_end(self._prepare_alone(key))

    async def _prepare_alone(self, key: tuple[str, str] | None) -> None:
        from sqlalchemy.exc import OperationalError, ProgrammingError

        for wait in (*_RETRIES_S, None):
            try:
                async with held(self._shared.preparing), self._shared.alone():
                    await self._connect_first(key)
            except (OperationalError, ProgrammingError):  # Another process makes them, too.
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                return

    async def _connect_first(self, key: tuple[str, str] | None) -> None:
        if key in self._shared.prepared:
            return
        async with self._engine.begin() as connection:
            if key is not None:
                await connection.run_sync(self._sessions.metadata.create_all)
        self._shared.prepared.update((key, None))


class _Shared:
    """What sessions on one engine share, in whichever loops they are."""

    def __init__(self, engine: AsyncEngine) -> None:
        from sqlalchemy import event
        from sqlalchemy.pool import StaticPool

        self.prepared: set[tuple[str, str] | None] = set()
        """Tables that are there; None says that somebody has connected."""
        # The first connection of an engine holds a lock of its own across its waits: a second one
        # in another loop would wait for it in vain.
        self.preparing = threading.Lock()
        self._one_connection = threading.Lock() if isinstance(engine.pool, StaticPool) else None
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        self._engine = weakref.ref(engine.sync_engine)
        at_fork(self)

    def before_fork(self) -> None:
        """See `Forked`. The parent goes on with its connections."""

    def in_child(self) -> None:
        """See `Forked`. The connections are the parent's, and so are the threads that they wait for."""
        self.preparing = threading.Lock()
        self._one_connection = self._one_connection and threading.Lock()
        if (engine := self._engine()) is not None:
            engine.dispose(close=False)

    @property
    def has_one_connection(self) -> bool:
        """Whether all loops have to share one."""
        return self._one_connection is not None

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """Hold the one connection, where there is but one: a transaction must not hold another's."""
        if self._one_connection is None:
            yield
            return
        async with held(self._one_connection):
            yield


_engines: weakref.WeakKeyDictionary[Any, _Shared] = weakref.WeakKeyDictionary()
_engines_lock = threading.Lock()


def _shared(engine: AsyncEngine) -> _Shared:
    with _engines_lock:
        shared = _engines.get(engine.sync_engine)
        if shared is None:
            shared = _engines[engine.sync_engine] = _Shared(engine)
        return shared


def _set_up_sqlite(connection: Any, record: object) -> None:
    del record
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _tables(sessions_table: str, messages_table: str) -> tuple[Table, Table]:
    from sqlalchemy import (
        TIMESTAMP,
        Column,
        ForeignKey,
        Index,
        Integer,
        MetaData,
        String,
        Table,
        Text,
        text,
    )

    def moment(name: str) -> Column[Any]:
        return Column(
            name,
            TIMESTAMP(timezone=False),
            server_default=text("CURRENT_TIMESTAMP"),
            nullable=False,
        )

    metadata = MetaData()
    sessions = Table(
        sessions_table,
        metadata,
        Column("session_id", String, primary_key=True),
        moment("created_at"),
        moment("updated_at"),
    )
    owner = ForeignKey(f"{sessions_table}.session_id", ondelete="CASCADE")
    messages = Table(
        messages_table,
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("session_id", String, owner, nullable=False),
        Column("message_data", Text, nullable=False),
        moment("created_at"),
        Index(f"idx_{messages_table}_session_time", "session_id", "created_at"),
        sqlite_autoincrement=True,
    )
    return sessions, messages
