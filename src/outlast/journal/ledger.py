"""Where accounts of budgets are kept: in the journal's file, for all processes that use it.

All accounts of a call are read and written in one transaction, by a pure function of what is there;
see `core.budgets`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from outlast.core.budgets import EMPTY, Account, Accounts, Change, Hold
from outlast.core.errors import JournalCorrupt, StorageBusy, StorageFull
from outlast.journal.heartbeat import Pulses
from outlast.journal.owner import this_process
from outlast.journal.rows import RunRow, find
from outlast.journal.side import Side

_PUT = "INSERT INTO account (key, body) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET body = ?2"
_FORGET = "DELETE FROM account WHERE key >= ?1 AND key < ?2"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Account).decode


class MemoryLedger:
    """Forgets everything with its process."""

    owner = ""

    def __init__(self, performs: Callable[[str, int], bool] | None = None) -> None:
        """``performs`` says whether that acquisition of a run is still the one that performs it."""
        self._accounts: dict[str, Account] = {}
        self._performs = performs

    def lives(self, hold: Hold) -> bool:
        if self._performs is not None and hold.run_id:
            return self._performs(hold.run_id, hold.epoch)
        return hold.owner == self.owner

    def get(self, key: str) -> Account:
        return self._accounts.get(key, EMPTY)

    def all(self) -> dict[str, Account]:
        """Every account, by its key."""
        return dict(self._accounts)

    async def change(self, keys: Sequence[str], change: Change) -> Any:
        after, answer = change({key: self.get(key) for key in keys})
        self._accounts.update(after)
        return answer

    async def settle(self, keys: Sequence[str], change: Change) -> None:
        await self.change(keys, change)

    async def forget(self, whose: str) -> None:
        """Delete what was spent under limits of ``whose``, such as `user:ada`."""
        for key in [each for each in self._accounts if each.startswith(f"{whose}\n")]:
            del self._accounts[key]


class SqliteLedger(Side):
    """Keeps them in a journal's file."""

    def __init__(
        self,
        path: Path,
        pulses: Pulses,
        is_held: Callable[[sqlite3.Connection, RunRow], bool],
        **options: Any,
    ) -> None:
        """``pulses`` and ``is_held`` are what the journal sees of others; the rest is `Side`'s."""
        super().__init__(path, **options)
        self._pulses = pulses
        self._is_held = is_held
        self._owed: list[tuple[Sequence[str], Change]] = []
        """Ends of calls that are not in the file yet."""

    @property
    def owner(self) -> str:
        return this_process()

    def lives(self, hold: Hold) -> bool:
        db = self._db()  # Asked inside the transaction of `change`.
        row = _row(db, hold.run_id)
        if row is None:
            return self._pulses.of(db, hold.owner).lives
        return row.epoch == hold.epoch and self._is_held(db, row)

    def get(self, key: str) -> Account:
        return self.read(lambda db: _found(db, key))

    def all(self) -> dict[str, Account]:
        """Every account, by its key."""
        rows = self.read(
            lambda db: db.execute("SELECT key, body FROM account ORDER BY key").fetchall()
        )
        return {key: _read(key, body) for key, body in rows}

    async def change(self, keys: Sequence[str], change: Change) -> Any:
        owed = list(self._owed)

        def work(db: sqlite3.Connection) -> Any:
            for each in owed:
                _changed(db, *each)
            return _changed(db, keys, change)

        answer = await self.transact(work)
        self._owed = [each for each in self._owed if each not in owed]
        return answer

    async def settle(self, keys: Sequence[str], change: Change) -> None:
        try:
            await self.change(keys, change)
        except (StorageBusy, StorageFull):
            # What the call has brought may still be written. If not, the run is put down, and whoever
            # asks then finds a hold that nobody has any more.
            self._owed.append((keys, change))

    async def forget(self, whose: str) -> None:
        """Delete what was spent under limits of ``whose``, such as `user:ada`, and overwrite it."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("PRAGMA secure_delete = ON")
            db.execute(_FORGET, (f"{whose}\n", f"{whose}\v"))

        await self.transact(work)
        self.read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())


def forget_accounts(db: sqlite3.Connection, run_id: str) -> None:
    """Delete the accounts of a run that is deleted."""
    db.execute(_FORGET, (f"run:{run_id}\n", f"run:{run_id}\v"))


def _row(db: sqlite3.Connection, run_id: str) -> RunRow | None:
    """A run's row; None where it has none, or one that cannot be read: others are not to fail of that."""
    try:
        return find(db, run_id) if run_id else None
    except JournalCorrupt:
        return None


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
