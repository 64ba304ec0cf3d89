"""The loop of `run_sync`: the thread's own, which stays open for clients that live on it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Coroutine
from typing import Any, TypeVar

from outlast.run.abandon import stop_owned

_T = TypeVar("_T")
_users: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, int]
_users = weakref.WeakKeyDictionary()
"""Which process has used a loop. A forked child would share the parent's selector with it."""


def is_in_loop() -> bool:
    """Whether a loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run_in_loop(run: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on this thread's loop."""
    loop = _thread_loop()
    task = loop.create_task(run)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        if not task.done():
            task.cancel()
            loop.run_until_complete(asyncio.wait([task]))
        if not loop.is_closed():
            loop.run_until_complete(stop_owned())
        raise
    finally:
        if not loop.is_closed():
            loop.run_until_complete(loop.shutdown_asyncgens())
            # It will be used again, and would warn of every generator from here on.
            if hasattr(loop, "_asyncgens_shutdown_called"):
                setattr(loop, "_asyncgens_shutdown_called", False)  # noqa: B010  # it has no public name


def _thread_loop() -> asyncio.AbstractEventLoop:
    loop = _current_loop()
    if loop is None or loop.is_closed() or _users.get(loop, os.getpid()) != os.getpid():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    _users[loop] = os.getpid()
    return loop


def _current_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that was set for this thread, by whomever."""
    try:
        if sys.version_info >= (3, 14):
            return asyncio.get_event_loop()
        policy = asyncio.get_event_loop_policy()  # pyright: ignore[reportDeprecated]  # not yet so here
        if threading.current_thread() is not threading.main_thread():
            return policy.get_event_loop()
        with warnings.catch_warnings():  # In the main thread it makes one, and may warn of that.
            warnings.simplefilter("ignore", DeprecationWarning)
            return policy.get_event_loop()
    except RuntimeError:
        return None
