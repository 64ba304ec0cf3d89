"""Heartbeats: how those who cannot see a process know that it lives.

A process that holds runs raises a number in the table `owner` every three seconds, in a thread, so no
turn pays for it. The first beat is committed with, or before, the first run that it holds.

Clocks jump, and differ between machines, so none is believed alone. An owner is dead when its number
has stood still

* for seven beats, by the monotonic clock of whoever looks, or
* for three and a half, and it also says a time that is more than seven beats away from the wall clock.

The second is what lets a process that has just begun take over from an owner that died yesterday
without waiting long; if either clock is wrong, the next beat within those three and a half still
shows that it lives. Whoever has no beat at all is dead: nobody holds a run without one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from outlast.definitions.clock import wall_s, wall_us
from outlast.definitions.forks import take
from outlast.journal.owner import life

BEAT_S = 3.0
_STILL_BEATS = 7.0
_AWAY_BEATS = 3.5
_EVERY_S = (0.01, 60.0)
"""Between these a rate is believed: a damaged one must not hold a run for ever."""
_KNOWN_MAX = 10_000
_BEAT = (
    "INSERT INTO owner VALUES (?1, 1, ?2, ?3)"
    " ON CONFLICT (name) DO UPDATE SET beat = beat + 1, every_ms = ?2, at = ?3"
)
_LAST = "SELECT beat, every_ms, at FROM owner WHERE name = ?"
_ALL = "SELECT name FROM owner"
_GONE = "DELETE FROM owner WHERE name = ?"


class Pulse(NamedTuple):
    """What is known of an owner."""

    lives: bool
    """Nothing may be taken from it."""
    seems_to_live: bool
    """What a list says, which does not wait."""
    certain_in_s: float = 0.0
    """Look again within this time: it seems to be dead, and has not stood still for long enough."""


ALIVE, DEAD = Pulse(lives=True, seems_to_live=True), Pulse(lives=False, seems_to_live=False)


class Pulses:
    """What this process has seen of the beats of others."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = wall_s,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._seen: dict[str, tuple[int, float]] = {}

    def of(self, db: sqlite3.Connection, owner: str) -> Pulse:
        """Whether an owner lives, by what can be seen of it from here."""
        seen = life(owner)
        if seen is not None:
            return ALIVE if seen else DEAD
        last = db.execute(_LAST, (owner,)).fetchone()
        return DEAD if last is None else self.judged(owner, *last)

    def judged(self, owner: str, beat: int, every_ms: int, at: int) -> Pulse:
        """What a beat says, after all that was seen before of the same owner."""
        now = self._clock()
        number, since = self._seen.get(owner, (None, now))
        if number != beat:
            since = now
            if len(self._seen) > _KNOWN_MAX:
                self._seen.clear()
            self._seen[owner] = (beat, now)
        every_s = min(max(every_ms / 1000, _EVERY_S[0]), _EVERY_S[1])
        is_away = abs(self._wall() - at / 1e6) >= _STILL_BEATS * every_s
        left_s = (_AWAY_BEATS if is_away else _STILL_BEATS) * every_s - (now - since)
        if left_s <= 0:
            return DEAD
        return Pulse(True, not is_away, min(left_s, every_s / 2)) if is_away else ALIVE


def beat(db: sqlite3.Connection, owner: str, every_s: float) -> None:
    """Say that an owner lives, inside a transaction."""
    db.execute(_BEAT, (owner, int(every_s * 1000), wall_us()))


def leave(db: sqlite3.Connection, owner: str) -> None:
    """An owner holds nothing any more, and will never say so."""
    db.execute(_GONE, (owner,))


def clear(db: sqlite3.Connection, pulses: Pulses) -> None:
    """Forget the owners that are dead."""
    for (owner,) in db.execute(_ALL).fetchall():
        if not pulses.of(db, owner).lives:
            leave(db, owner)


class Holder(Protocol):
    """Whose heart it is."""

    def is_needed(self) -> bool:
        """Whether anything is held."""
        ...

    def beat(self) -> None:
        """Commit a beat. Nothing that it raises would help anybody."""
        ...


class Heart:
    """The thread that beats for as long as something is held; it ends by itself."""

    def __init__(self, holder: Holder, every_s: float) -> None:
        self.every_s = every_s
        self._holder = holder
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.has_signed = False
        """Whether a beat was committed since the thread began."""

    def start(self) -> bool:
        """Beat from now on, if that is wanted at all. Returns whether the first beat has yet to be committed."""
        if not self.every_s:
            return False
        with self._lock:
            if self._thread is None and not self._stopped.is_set():
                self.has_signed = False
                self._thread = threading.Thread(
                    target=self._live, name="outlast-heartbeat", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:  # The interpreter is about to end; so is all that is held.
                    self._thread = None
            return not self.has_signed

    def before_fork(self) -> None:
        """No thread may be in the middle of this. The child has a heart of its own."""
        take(self._lock)

    def stop(self) -> None:
        """Never beat again."""
        self._stopped.set()

    def _live(self) -> None:
        while not self._stopped.wait(self.every_s):
            with self._lock:
                if not self._holder.is_needed():
                    self._thread = None
                    return
            self._holder.beat()
