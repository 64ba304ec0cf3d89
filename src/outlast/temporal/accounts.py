"""Accounts of budgets in a folder that workers of several machines share.

Each account is a file. Who changes some of them holds a lock on the folder meanwhile, which any file
system for several machines has to offer (NFS 4 does); a database in a file would want more of it.
A worker that dies in between leaves a hold too many, never one too few: what it held counts as spent.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from outlast.core.budgets import EMPTY, Account, Accounts, Change, Hold
from outlast.core.errors import JournalCorrupt, JournalUnavailable, StorageBusy
from outlast.definitions.clock import wall_us
from outlast.journal.files import write_whole
from outlast.journal.heartbeat import BEAT_S, Heart, Pulses
from outlast.journal.owner import life, this_process

_BUSY_S = 30.0
_PAUSE_S = (0.002, 0.02)
_IN_PROCESS = threading.Lock()
"""A lock on a file may be the whole process's."""


class _Entry(msgspec.Struct, frozen=True):
    """What a file of an account says."""

    key: str
    account: Account


class _Beat(msgspec.Struct, frozen=True):
    """That a process lives: see `journal.heartbeat`."""

    number: int
    every_ms: int
    at: int


_encode = msgspec.json.Encoder().encode
_entry = msgspec.json.Decoder(_Entry).decode
_beat = msgspec.json.Decoder(_Beat).decode


class FolderLedger:
    """Keeps the accounts of a cluster's runs in a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pulses = Pulses()
        self._heart = Heart(self, BEAT_S)
        self._held: set[str] = set()
        """Holds of this process."""
        self._owed: list[tuple[Sequence[str], Change]] = []
        """Ends of calls that could not be written yet."""

    @property
    def owner(self) -> str:
        return this_process()

    def lives(self, hold: Hold) -> bool:
        seen = life(hold.owner)
        if seen is not None:
            return seen
        try:
            beat = _beat(self._owner_file(hold.owner).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return False
        return self._pulses.judged(hold.owner, beat.number, beat.every_ms, beat.at).lives

    def get(self, key: str) -> Account:
        return _read(self._file(key))

    def all(self) -> dict[str, Account]:
        """Every account, by its key."""
        entries = [_entry(each.read_bytes()) for each in sorted(self._path.glob("*.account"))]
        return {entry.key: entry.account for entry in entries}

    async def change(self, keys: Sequence[str], change: Change) -> Any:
        owed = list(self._owed)
        answer = await asyncio.to_thread(self._changed, [*owed, (keys, change)])
        self._owed = [each for each in self._owed if each not in owed]
        return answer

    async def settle(self, keys: Sequence[str], change: Change) -> None:
        try:
            await self.change(keys, change)
        except (JournalUnavailable, StorageBusy):
            self._owed.append((keys, change))

    # --- Whether this process lives, for others --------------------------------------------

    def is_needed(self) -> bool:
        """Whether this process holds anything."""
        return bool(self._held)

    def beat(self) -> None:
        """Say that it lives."""
        with suppress(OSError):  # The next beat says it; seven may be missed.
            self._sign()

    def _sign(self) -> None:
        beat = _Beat(time.monotonic_ns(), int(BEAT_S * 1000), wall_us())
        write_whole(self._owner_file(self.owner), _encode(beat))
        self._heart.has_signed = True

    # --- Files -------------------------------------------------------------------------------

    def _changed(self, changes: Sequence[tuple[Sequence[str], Change]]) -> Any:
        answer: Any = None
        try:
            with self._locked():
                for keys, change in changes:
                    before: Accounts = {key: _read(self._file(key)) for key in keys}
                    after, answer = change(before)
                    self._write(before, after)
        except OSError as error:
            raise JournalUnavailable(
                f"The accounts of the cluster's budgets cannot be used: {error.strerror}. All workers "
                "must be able to read and write the store."
            ) from None
        return answer

    def _write(self, before: Accounts, after: Accounts) -> None:
        changed = {key: each for key, each in after.items() if each is not before.get(key)}
        mine = {
            name
            for each in after.values()
            for name, hold in each.holds.items()
            if self._is_mine(hold)
        }
        gone = {name for each in before.values() for name in each.holds} - mine
        self._held = (self._held | mine) - gone
        if self._held and self._heart.start():
            self._sign()  # Nobody may see a hold of a process that does not seem to live.
        for key, account in changed.items():
            write_whole(self._file(key), _encode(_Entry(key, account)))

    def _is_mine(self, hold: Hold) -> bool:
        return hold.owner == self.owner

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _IN_PROCESS:
            file = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _lock(file)
                yield
            finally:
                os.close(file)  # And with it the lock.

    def _file(self, key: str) -> Path:
        return self._path / f"{blake2b(key.encode(), digest_size=20).hexdigest()}.account"

    def _owner_file(self, owner: str) -> Path:
        return self._path / f"{blake2b(owner.encode(), digest_size=20).hexdigest()}.owner"


def _lock(file: int) -> None:
    """Wait until nobody else has the lock.

    Raises:
        StorageBusy: Somebody has had it for too long.
    """
    import fcntl  # Not on Windows, where no workers share a folder.

    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StorageBusy(
                    f"Others have had the accounts of the cluster's budgets for {_BUSY_S:g} s. Try again."
                ) from None
        time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311  # not for secrets


def _read(path: Path) -> Account:
    try:
        return _entry(path.read_bytes()).account
    except FileNotFoundError:
        return EMPTY
    except msgspec.MsgspecError:
        raise JournalCorrupt(
            f"What was spent cannot be read: {path.name} in the store was damaged or changed by something "
            "other than Outlast. Restore it from a copy."
        ) from None
