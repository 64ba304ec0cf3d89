"""The sessions that need a library of their own, each loaded when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.sessions.advanced_sqlite import AdvancedSQLiteSession
    from outlast.sessions.async_sqlite import AsyncSQLiteSession
    from outlast.sessions.dapr import (
        DAPR_CONSISTENCY_EVENTUAL,
        DAPR_CONSISTENCY_STRONG,
        DaprSession,
    )
    from outlast.sessions.encrypted import EncryptedSession
    from outlast.sessions.mongodb import MongoDBSession
    from outlast.sessions.redis import RedisSession
    from outlast.sessions.sqlalchemy import SQLAlchemySession

_HOMES = {
    "AdvancedSQLiteSession": "advanced_sqlite",
    "AsyncSQLiteSession": "async_sqlite",
    "DAPR_CONSISTENCY_EVENTUAL": "dapr",
    "DAPR_CONSISTENCY_STRONG": "dapr",
    "DaprSession": "dapr",
    "EncryptedSession": "encrypted",
    "MongoDBSession": "mongodb",
    "RedisSession": "redis",
    "SQLAlchemySession": "sqlalchemy",
}

__all__ = [
    "DAPR_CONSISTENCY_EVENTUAL",
    "DAPR_CONSISTENCY_STRONG",
    "AdvancedSQLiteSession",
    "AsyncSQLiteSession",
    "DaprSession",
    "EncryptedSession",
    "MongoDBSession",
    "RedisSession",
    "SQLAlchemySession",
]


def __getattr__(name: str) -> Any:
    """Load the module of a session when its name is asked for."""
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    return getattr(importlib.import_module(f"outlast.sessions.{home}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
