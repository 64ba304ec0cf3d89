"""How a program's own functions are called: async ones, and blocking ones in threads.

The pool is ours and not asyncio's: asyncio shares one small pool with name resolution and file
access, so a few slow tools would stall everything else in the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from outlast.core.shown import tame
from outlast.definitions.forks import at_fork, take
from outlast.definitions.host import has_threads

MAX_THREADS = 64
"""Threads start one by one, when none is free, up to this bound. Further calls wait their turn."""

P = ParamSpec("P")
T = TypeVar("T")


async def awaited(result: T | Awaitable[T]) -> T:
    """What a function returned that may be sync or async."""
    found: Any = result
    return await found if inspect.isawaitable(tame(found)) else found


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``function`` returns, called in a thread that sees the caller's context variables."""
    if not has_threads():
        return _call(function, *args, **kwargs)
    return await asyncio.wrap_future(in_thread(function, *args, **kwargs))


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """The call of ``function`` in a thread that sees the caller's context variables.

    Whoever waits for it may be cancelled; the function itself runs on to its end.
    """
    call = functools.partial(_call, function, *args, **kwargs)
    return _threads.pool().submit(contextvars.copy_context().run, call)


def _call(function: Callable[..., T], *args: object, **kwargs: object) -> T:
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        # A future cannot carry a StopIteration: the caller would wait for ever.
        raise RuntimeError(f"{function!r} raised StopIteration.") from error


class _Threads:
    """The pool of this process. A forked child has a copy of it, and none of its threads."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        at_fork(self)

    def pool(self) -> ThreadPoolExecutor:
        """The pool, which the first call makes."""
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="outlast-tool")
        return self._pool

    def before_fork(self) -> None:
        """See `Forked`."""
        take(self._lock)

    def in_child(self) -> None:
        """See `Forked`."""
        self._pool, self._lock = None, threading.Lock()


_threads = _Threads()
