"""Where the health of models is kept: in the journal's file, for all processes that use it.

A record is read and written in one transaction, by a pure function of what is there. Losing all of
it loses nothing but caution, so a commit here waits for no disk.
"""

from __future__ import annotations

import sqlite3
from typing import TypeVar

import msgspec

from outlast.calls.health import Change, Health
from outlast.journal.side import Side

_T = TypeVar("_T")
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


class SqliteHealth(Side):
    """Keeps it in a journal's file."""

    def get(self, key: str) -> Health:
        return self.read(lambda db: _found(db, key))

    async def change(self, key: str, change: Change[_T]) -> _T:
        return await self.transact(lambda db: _changed(db, key, change))

    def all(self) -> dict[str, Health]:
        rows = self.read(
            lambda db: db.execute("SELECT key, body FROM health ORDER BY key").fetchall()
        )
        return {key: _read(body) for key, body in rows}

    async def clear(self) -> None:
        await self.transact(lambda db: db.execute("DELETE FROM health"))


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
