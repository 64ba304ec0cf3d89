"""Something that belongs to one event loop, for who is used in several: one of it for each loop."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from outlast.definitions.forks import at_fork, leave_to_parent

_T = TypeVar("_T")
_POLL_S = 0.001


def has_loop() -> bool:
    """Whether this is called in a loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def held(lock: threading.Lock) -> AsyncGenerator[None]:
    """Hold a lock that tasks of several loops share."""
    await _acquired(lock)
    try:
        yield
    finally:
        lock.release()


async def _acquired(lock: threading.Lock) -> None:
    while not lock.acquire(blocking=False):  # noqa: ASYNC110  # an event belongs to one loop
        await asyncio.sleep(_POLL_S)


class PerLoop(Generic[_T]):
    """Makes one for each loop that asks, and forgets it with its loop.

    A forked child makes its own: the parent's connections are the parent's.

    Args:
        make: Makes one. It is asked in the loop that it is for.
        first: One that is there already, for the loop that asks first.
    """

    def __init__(self, make: Callable[[], _T], first: _T | None = None) -> None:
        self._make = make
        self._first = first
        self._kept: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _T] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        at_fork(self)

    def here(self) -> _T:
        """That of the loop which runs."""
        loop = asyncio.get_running_loop()
        found = self._kept.get(loop)
        if found is None:
            with self._lock:
                found, self._first = self._first, None
            found = self._kept[loop] = self._make() if found is None else found
        return found

    def take(self) -> _T | None:
        """That of the loop which runs, or that nobody has asked for; nobody has it from now on."""
        found = self._kept.pop(asyncio.get_running_loop(), None)
        if found is None:
            found, self._first = self._first, None
        return found

    def before_fork(self) -> None:
        """See `Forked`. Nothing is closed: the parent goes on with it."""

    def in_child(self) -> None:
        """See `Forked`."""
        self._lock = threading.Lock()
        leave_to_parent(dict(self._kept), self._first)
        self._kept, self._first = weakref.WeakKeyDictionary(), None


class LoopsLock:
    """A lock that tasks of several loops share. Those of one loop get it in the order in which they ask."""

    def __init__(self) -> None:
        self._here = PerLoop(asyncio.Lock)
        self._lock = threading.Lock()
        at_fork(self)

    async def __aenter__(self) -> None:
        here = self._here.here()
        await here.acquire()
        try:
            await _acquired(self._lock)
        except BaseException:
            here.release()
            raise

    async def __aexit__(self, *about: object) -> None:
        self._lock.release()
        self._here.here().release()

    def before_fork(self) -> None:
        """See `Forked`. Whoever holds it goes on in the parent."""

    def in_child(self) -> None:
        """See `Forked`. Who held it is in the parent."""
        self._lock = threading.Lock()
