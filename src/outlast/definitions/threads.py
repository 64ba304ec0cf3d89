"""How a program's own functions are called: async ones, and blocking ones in threads.

The pool is ours and not asyncio's: asyncio shares one small pool with name resolution and file
access, so a few slow tools would stall everything else in the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

MAX_THREADS = 64
"""Threads start one by one, when none is free, up to this bound. Further calls wait their turn."""

P = ParamSpec("P")
T = TypeVar("T")


async def awaited(result: T | Awaitable[T]) -> T:
    """What a function returned that may be sync or async."""
    found: Any = result
    return await found if inspect.isawaitable(found) else found


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``function`` returns, called in a thread that sees the caller's context variables.

    A cancelled caller stops waiting; the function itself runs on to its end.
    """
    call = functools.partial(_call, function, *args, **kwargs)
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_pool(), context.run, call)


def _call(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        # A future cannot carry a StopIteration: the caller would wait for ever.
        raise RuntimeError(f"{function!r} raised StopIteration.") from error


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="outlast-tool")
