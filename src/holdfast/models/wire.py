"""What models behind an endpoint share while they read a stream, and when they let go of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from holdfast.models.errors import in_our_family


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


_closing: set[asyncio.Future[Any]] = set()  # Only so that they are not collected half-way.


async def let_go(stream: Any) -> None:
    """Close ``stream``, once. Who is cancelled meanwhile stops waiting; it is closed nevertheless."""
    close: Callable[[], Awaitable[Any]] | None = getattr(stream, "aclose", None)
    close = close or getattr(stream, "close", None)
    if close is None:
        return
    closing = asyncio.ensure_future(close())
    _closing.add(closing)
    closing.add_done_callback(_forget)
    with contextlib.suppress(Exception):  # What was to be said has been said, or has failed.
        await asyncio.shield(closing)


def _forget(closing: asyncio.Future[Any]) -> None:
    _closing.discard(closing)
    if not closing.cancelled():
        closing.exception()  # Looked at, so that asyncio does not report it as lost.
