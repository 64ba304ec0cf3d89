"""Big things, stored once under the hash of their content."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from outlast.core.errors import JournalCorrupt
from outlast.core.identity import content_hash
from outlast.definitions.clock import wall_s

_KNOWN_MAX = 50_000
FRESH_S = 60.0
"""For how long a name that was stored is taken to be stored."""
_NOTHING: dict[str, bytes] = {}
PUT_BLOB = "INSERT INTO blob VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET at = excluded.at"
"""A blob's name, content and time. A time below zero, in microseconds, is another one whenever it is
stored: nobody takes such a blob for stored without looking."""


def stamp() -> int:
    """This moment by two clocks: the wall's, and the one that does not jump while the machine is up.

    A wall clock before 1988 or after 2105 says one of those: what it says has to fit, and must not be
    taken for microseconds. Blobs that are stored then are kept for longer.
    """
    wall = min(max(int(wall_s()), _TWO_CLOCKS >> 31), 2**32 - 1)
    return (wall << 31) | (int(time.monotonic()) & _MONOTONIC)


def is_settled(at: int, now: int) -> bool:
    """Whether nobody takes a blob that was stored at `at` for stored without looking any more.

    Either clock may say that it is long ago and be wrong: the wall's jumps, and the other one begins
    anew with the machine. Older versions noted the wall's alone, in microseconds.
    """
    if at < 0:
        return True
    wall, steady = at >> 31, at & _MONOTONIC
    if at < _TWO_CLOCKS:
        wall, steady = at // 1_000_000, -1
    is_old = abs((now >> 31) - wall) > 2 * FRESH_S
    return is_old and not 0 <= (now & _MONOTONIC) - steady <= 2 * FRESH_S


_MONOTONIC = 2**31 - 1
_TWO_CLOCKS = 2**60


class Blobs:
    """Blobs that wait for the next append, and the names of those that are stored.

    A name that was stored in the last minute needs no second look: whoever deletes runs leaves such
    blobs alone.
    """

    def __init__(self, load: Callable[[str], bytes | None]) -> None:
        self._load = load
        self._known: set[str] = set()
        self._fresh_until = 0.0
        self._waiting: dict[str, bytes] = {}

    def put(self, data: bytes, name: str | None = None) -> str:
        """The name of `data`; see `BlobStore.put`."""
        name = name or content_hash(data)
        if time.monotonic() > self._fresh_until:
            self.forget()
        if name not in self._known:
            self._waiting[name] = data
        return name

    def get(self, name: str) -> bytes:
        """What is stored under a name; see `BlobStore.get`."""
        data = self._waiting.get(name)
        if data is None:
            data = self._load(name)
        if data is None:
            raise JournalCorrupt(f"The journal has no blob {name!r}, but a log refers to it.")
        if content_hash(data) != name:
            raise JournalCorrupt(f"The content of blob {name!r} has changed since it was stored.")
        return data

    def forget(self) -> None:
        """Look at every name again."""
        self._known.clear()
        self._fresh_until = time.monotonic() + FRESH_S

    def waiting(self) -> dict[str, bytes]:
        """What the next transaction has to store."""
        return self._waiting.copy() if self._waiting else _NOTHING

    def stored(self, names: Iterable[str]) -> None:
        """These are committed."""
        if len(self._known) > _KNOWN_MAX:
            self._known.clear()
        for name in names:
            self._known.add(name)
            self._waiting.pop(name, None)
