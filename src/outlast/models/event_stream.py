"""What models behind an endpoint share while they read a stream, and when they let go of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from outlast.models.errors import in_our_family


async def read(entries: AsyncIterator[Any]) -> AsyncGenerator[Any]:
    """``entries`` of an answer; what goes wrong while they are made is an error of ours.

    Raises:
        ModelRequestError: The connection failed.
        ModelReplyMalformed: What came cannot be read.
    """
    async with ending(entries):
        while True:
            with in_our_family():
                entry = await anext(entries, None)
            if entry is None:
                return
            yield entry


@contextlib.asynccontextmanager
async def ending(stream: AsyncIterator[Any]) -> AsyncGenerator[None]:
    """End ``stream`` with the block if it is a generator, in the task that has read it."""
    try:
        yield
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


_CANCELLED_S = 0.1
_closing: set[asyncio.Future[Any]] = set()  # Only so that they are not collected half-way.


async def let_go(close: Callable[[], Awaitable[Any]]) -> None:
    """Give a connection back by ``close``, which is begun and ended whatever happens here.

    Who is being cancelled waits for it hardly at all.

    Raises:
        Exception: Closing failed, and somebody waited for it.
    """
    closing = asyncio.ensure_future(close())
    _closing.add(closing)
    closing.add_done_callback(_forget)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        await asyncio.wait({closing}, timeout=_CANCELLED_S)  # Mostly it takes no time.
        return
    await asyncio.shield(closing)


def closing_of(stream: object) -> Callable[[], Awaitable[Any]]:
    """What closes ``stream``; a stand-in may have no such thing."""
    return getattr(stream, "aclose", None) or getattr(stream, "close", None) or _nothing


def _forget(closing: asyncio.Future[Any]) -> None:
    _closing.discard(closing)
    if not closing.cancelled():
        closing.exception()  # Looked at, so that asyncio does not report it as lost.


async def _nothing() -> None:
    return None
