"""Asking a Temporal server: what a busy one gives up is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import RPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

T = TypeVar("T")

_PAUSES_S = (0.05, 0.2, 0.8, 2.0)
_BUSY = {RPCStatusCode.CANCELLED, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.ABORTED}


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """What ``ask`` returns, which asks the server for something that may be asked for twice.

    Raises:
        RPCError: The server refuses it, or is busy for seconds.
    """
    for pause_s in _PAUSES_S:
        try:
            return await _plain(ask)
        except RPCError as error:
            if error.status not in _BUSY:
                raise
        await asyncio.sleep(pause_s)
    return await _plain(ask)


async def _plain(ask: Callable[[], Awaitable[T]]) -> T:
    """What ``ask`` returns. An update wraps what ended it in an error of its own; here it is bare."""
    try:
        return await ask()
    except RPCTimeoutOrCancelledError as error:
        raise (error.__cause__ or error) from None
