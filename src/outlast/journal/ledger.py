"""Where accounts of budgets are kept: in the journal's file, for all processes that use it.

All accounts of a call are read and written in one transaction, by a pure function of what is there;
see `core.budgets`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from outlast.core.budgets import EMPTY, Account, Accounts, Change
from outlast.core.errors import JournalCorrupt
from outlast.journal.heartbeat import Pulses
from outlast.journal.owner import this_process
from outlast.journal.side import Side

_PUT = "INSERT INTO account (key, body) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET body = ?2"
_FORGET = "DELETE FROM account WHERE key >= ?1 AND key < ?2"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Account).decode


class MemoryLedger:
    """Forgets everything with its process."""

    owner = ""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def lives(self, owner: str) -> bool:
        return owner == self.owner

    def get(self, key: str) -> Account:
        return self._accounts.get(key, EMPTY)

    def all(self) -> dict[str, Account]:
        """Every account, by its key."""
        return dict(self._accounts)

    async def change(self, keys: Sequence[str], change: Change) -> Any:
        after, answer = change({key: self.get(key) for key in keys})
        self._accounts.update(after)
        return answer


class SqliteLedger(Side):
    """Keeps them in a journal's file."""

    def __init__(self, path: Path, pulses: Pulses, **options: Any) -> None:
        """``pulses`` are what the journal has seen of other processes; the rest is `Side`'s."""
        super().__init__(path, **options)
        self._pulses = pulses

    @property
    def owner(self) -> str:
        return this_process()

    def lives(self, owner: str) -> bool:
        return self._pulses.of(self._db(), owner).lives  # Asked inside the transaction of `change`.

    def get(self, key: str) -> Account:
        return self.read(lambda db: _found(db, key))

    def all(self) -> dict[str, Account]:
        """Every account, by its key."""
        rows = self.read(
            lambda db: db.execute("SELECT key, body FROM account ORDER BY key").fetchall()
        )
        return {key: _read(key, body) for key, body in rows}

    async def change(self, keys: Sequence[str], change: Change) -> Any:
        return await self.transact(lambda db: _changed(db, keys, change))


def forget_accounts(db: sqlite3.Connection, run_id: str) -> None:
    """Delete the accounts of a run that is deleted."""
    db.execute(_FORGET, (f"run:{run_id}\n", f"run:{run_id}\v"))


def _changed(db: sqlite3.Connection, keys: Sequence[str], change: Change) -> Any:
    before: Accounts = {key: _found(db, key) for key in keys}
    after, answer = change(before)
    for key, account in after.items():
        if account is not before.get(key):
            db.execute(_PUT, (key, _encode(account)))
    return answer


def _found(db: sqlite3.Connection, key: str) -> Account:
    row = db.execute("SELECT body FROM account WHERE key = ?", (key,)).fetchone()
    return EMPTY if row is None else _read(key, row[0])


def _read(key: str, body: bytes) -> Account:
    try:
        return _decode(body)
    except (msgspec.DecodeError, TypeError) as error:
        raise JournalCorrupt(
            f"What was spent under {key!r} cannot be read: the journal's file was damaged or changed by "
            "something other than Outlast. Restore it from a copy."
        ) from error
