"""One attempt of a call at a time, in this process.

Whoever cancels a call stops waiting for it; a function in a thread, or one that refuses to be
cancelled, works on all the same. If the run goes on in this process meanwhile, the call's next attempt
waits here until the one before has ended: both at once would be two payments under one key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, ParamSpec, TypeVar

from outlast.definitions.calling import in_thread, run_in_thread
from outlast.definitions.forks import at_fork
from outlast.definitions.host import has_threads
from outlast.definitions.logger import logger
from outlast.definitions.loops import Home

P = ParamSpec("P")
T = TypeVar("T")

_LOOK_S = 0.02
"""How often a waiting attempt looks. The other one may be in a thread, or in another loop."""


@asynccontextmanager
async def one_attempt(key: str) -> AsyncGenerator[None]:
    """A block in which no earlier attempt of the call that ``key`` names is at work in this process."""
    task = asyncio.current_task()
    if key in _attempts.running:
        await _attempts.end_of(key)
    if not key or task is None:
        yield
        return
    _attempts.begin(key, task)
    try:
        yield
    finally:
        _attempts.finish(key, task)


async def attempt_in_thread(
    key: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """What ``function`` returns, called in a thread; until it ends, the call has an attempt at work."""
    if not has_threads():
        return await run_in_thread(function, *args, **kwargs)
    work = in_thread(function, *args, **kwargs)
    if key:
        _attempts.begin(key, work)
        work.add_done_callback(lambda done: _attempts.finish(key, done))
    return await asyncio.wrap_future(work)


class _Work(NamedTuple):
    work: asyncio.Task[Any] | Future[Any]
    home: Home


class _Attempts:
    """What is at work in this process, by key. A forked child does nothing of it."""

    def __init__(self) -> None:
        self.running: dict[str, tuple[_Work, ...]] = {}
        at_fork(self)

    def begin(self, key: str, work: asyncio.Task[Any] | Future[Any]) -> None:
        self.running[key] = (*self.running.get(key, ()), _Work(work, Home()))

    def finish(self, key: str, work: asyncio.Task[Any] | Future[Any]) -> None:
        others = tuple(each for each in self.running.get(key, ()) if each.work is not work)
        if others:
            self.running[key] = others
        else:
            self.running.pop(key, None)

    async def end_of(self, key: str) -> None:
        is_told = False
        while any(_is_at_work(each) for each in self.running.get(key, ())):
            if not is_told:
                logger.warning("Call %s waits: its attempt before works on in this process.", key)
            is_told = True
            await asyncio.sleep(_LOOK_S)

    def before_fork(self) -> None:
        """See `Forked`."""

    def in_child(self) -> None:
        """See `Forked`."""
        self.running = {}


def _is_at_work(attempt: _Work) -> bool:
    """Whether it can still do something: a task of a loop that is gone cannot."""
    is_stuck = isinstance(attempt.work, asyncio.Task) and attempt.home.is_gone()
    return not attempt.work.done() and not is_stuck


_attempts = _Attempts()
