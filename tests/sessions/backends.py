"""Every session backend, made the same way: the local ones anywhere, the others with their server.

`make services` starts the servers; each is found by the variable that the script sets.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from outlast.sessions.backends import (
    AdvancedSQLiteSession,
    AsyncSQLiteSession,
    DaprSession,
    EncryptedSession,
    MongoDBSession,
    RedisSession,
    SQLAlchemySession,
)
from outlast.sessions.sqlite import SQLiteSession

Open = Callable[[str], Any]
"""Opens a session by its id; each call gives another object on the same store."""


class Backend:
    """One store, and how sessions on it are opened and closed."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._file = folder / "sessions.db"
        self._unique = uuid.uuid4().hex[:8]
        self._opened: list[Any] = []

    def open(self, session_id: str = "s", **settings: Any) -> Any:
        """Another object for a conversation. What one has written, all see."""
        session = _MAKERS[self.name](self._file, f"{self._unique}-{session_id}", settings)
        self._opened.append(session)
        return session

    async def close(self) -> None:
        """Close every session, and what it opened."""
        for session in self._opened:
            inner = getattr(session, "underlying_session", session)
            with contextlib.suppress(AttributeError):
                await _awaited(inner.engine.dispose())
            if hasattr(inner, "close"):
                await _awaited(inner.close())


async def _awaited(value: Any) -> None:
    if isinstance(value, Awaitable):
        await value


def _sqlite(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    return SQLiteSession(session_id, file, **settings)


def _async_sqlite(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    return AsyncSQLiteSession(session_id, file, **settings)


def _advanced(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    return AdvancedSQLiteSession(
        session_id=session_id, db_path=file, create_tables=True, **settings
    )


def _encrypted(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    return EncryptedSession(session_id, SQLiteSession(session_id, file, **settings), "a secret")


def _sqlalchemy(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    url = f"sqlite+aiosqlite:///{file}"
    return SQLAlchemySession.from_url(session_id, url=url, create_tables=True, **settings)


def _postgres(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    url = os.environ["OUTLAST_TEST_POSTGRES_URL"].replace("postgresql://", "postgresql+asyncpg://")
    return SQLAlchemySession.from_url(session_id, url=url, create_tables=True, **settings)


def _redis(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    url = os.environ["OUTLAST_TEST_REDIS_URL"]
    return RedisSession.from_url(session_id, url=url, ttl=3600, **settings)


def _encrypted_redis(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    return EncryptedSession(session_id, _redis(file, session_id, settings), "a secret")


def _mongo(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    return MongoDBSession.from_uri(
        session_id, uri=os.environ["OUTLAST_TEST_MONGODB_URL"], **settings
    )


def _dapr(file: Path, session_id: str, settings: dict[str, Any]) -> Any:
    return DaprSession.from_address(
        session_id,
        state_store_name=os.environ["OUTLAST_TEST_DAPR_STORES"].replace(",", " ").split()[-1],
        dapr_address=os.environ["OUTLAST_TEST_DAPR_ADDRESS"],
        **settings,
    )


_MAKERS: dict[str, Callable[[Path, str, dict[str, Any]], Any]] = {
    "sqlite": _sqlite,
    "async_sqlite": _async_sqlite,
    "advanced_sqlite": _advanced,
    "encrypted_sqlite": _encrypted,
    "sqlalchemy_sqlite": _sqlalchemy,
    "sqlalchemy_postgres": _postgres,
    "redis": _redis,
    "encrypted_redis": _encrypted_redis,
    "mongodb": _mongo,
    "dapr": _dapr,
}

LOCAL = ("sqlite", "async_sqlite", "advanced_sqlite", "encrypted_sqlite", "sqlalchemy_sqlite")
_VARIABLES = {
    "sqlalchemy_postgres": "OUTLAST_TEST_POSTGRES_URL",
    "redis": "OUTLAST_TEST_REDIS_URL",
    "encrypted_redis": "OUTLAST_TEST_REDIS_URL",
    "mongodb": "OUTLAST_TEST_MONGODB_URL",
    "dapr": "OUTLAST_TEST_DAPR_ADDRESS",
}

EVERY_BACKEND = [
    *LOCAL,
    *(
        pytest.param(
            name,
            marks=[
                pytest.mark.services,
                pytest.mark.skipif(variable not in os.environ, reason=f"{variable} is not set"),
            ],
        )
        for name, variable in _VARIABLES.items()
    ),
]


@asynccontextmanager
async def opened(name: str, folder: Path) -> AsyncGenerator[Backend]:
    """A backend that is closed at the end."""
    backend = Backend(name, folder)
    try:
        yield backend
    finally:
        await backend.close()
