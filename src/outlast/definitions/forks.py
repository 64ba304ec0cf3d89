"""What is put down before a fork and made anew after it.

A forked child has a copy of everything and the threads of nobody. A lock that another thread held
stays held there for ever, and a SQLite connection that crosses a fork takes the parent's locks on
the file for its own (sqlite.org/howtocorrupt.html, 2.6). So whoever owns such a thing registers
here, puts it down before each fork, and takes it up again on both sides.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something that must not cross a fork as it is."""

    def before_fork(self) -> None:
        """`take` every lock, so that no thread is in the middle of anything; close every handle."""
        ...

    def in_child(self) -> None:
        """Begin anew, with new locks: what the parent does is not this process's business."""
        ...


_WAIT_S = 10.0
"""How long a fork waits for a thread that is in the middle of something."""

_owners: weakref.WeakSet[Forked] = weakref.WeakSet()
_lock = threading.Lock()
_crossing: list[Forked] = []
_locks: list[threading.Lock] = []
_left: list[object] = []


def at_fork(owner: Forked) -> None:
    """Tell ``owner`` of every fork from here on, for as long as somebody has it."""
    with _lock:
        _owners.add(owner)


def take(lock: threading.Lock) -> bool:
    """Hold a lock until the fork is over; False if some thread does not let go of it."""
    if not lock.acquire(timeout=_WAIT_S):
        return False
    _locks.append(lock)
    return True


def leave_to_parent(*things: object) -> None:
    """In a forked child: neither close nor collect what the parent goes on with."""
    _left.extend(things)


def _before() -> None:
    take(_lock)
    for owner in list(_owners):
        _crossing.append(owner)
        owner.before_fork()


def _in_parent() -> None:
    _crossing.clear()
    while _locks:
        _locks.pop().release()


def _in_child() -> None:
    global _lock  # noqa: PLW0603  # the parent's is held, by a thread that may not be here
    _lock = threading.Lock()
    _locks.clear()
    while _crossing:
        _crossing.pop().in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
