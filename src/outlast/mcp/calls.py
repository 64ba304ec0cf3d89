"""A call that a run makes: its key travels with it, and what the server reports comes back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

from outlast.definitions.context import RunContextWrapper, ToolContext
from outlast.mcp.library import is_v2
from outlast.mcp.names import printable

T = TypeVar("T")
IDEMPOTENCY_KEY = "outlast/idempotency-key"
"""Where in a call's `_meta` its key stands: the same for each attempt of one call."""
FAR_S = 7 * 24 * 3600.0
"""What the library is told to wait for an answer where the waiting is done here."""


class RunCall:
    """A call of a run. As long as its server reports progress, it is not late."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self.key = context.idempotency_key
        self._deadline: asyncio.Timeout | None = None
        self._timeout_s: float | None = None

    def options(self, timeout_s: float | None) -> dict[str, Any]:
        """The library's keywords for it."""
        self._timeout_s = timeout_s
        far: Any = FAR_S if is_v2() else timedelta(seconds=FAR_S)
        wait = {} if timeout_s is None else {"read_timeout_seconds": far}
        return {"progress_callback": self._heard, **wait}

    async def watched(self, request: Awaitable[T]) -> T:
        """The answer to ``request``.

        Raises:
            TimeoutError: Nothing has been heard of it for as long as may be.
        """
        async with asyncio.timeout(self._timeout_s) as self._deadline:
            return await request

    async def _heard(self, progress: float, total: float | None, message: str | None) -> None:
        deadline, seconds = self._deadline, self._timeout_s
        if deadline is not None and seconds is not None and not deadline.expired():
            deadline.reschedule(asyncio.get_running_loop().time() + seconds)
        if not math.isfinite(progress):
            return  # A sign of life, and nothing that a log could hold.
        total = total if total is not None and math.isfinite(total) else None
        text = None if message is None else printable(message)
        self._context.report_progress(progress, total, text)


CALL: ContextVar[RunCall | None] = ContextVar("mcp_call", default=None)
"""The run's call that is made in this context."""


@contextmanager
def in_call(context: RunContextWrapper) -> Generator[None]:
    """Let requests in this block be made for the call that a context is of."""
    if not isinstance(context, ToolContext) or not context.run_id:
        yield
        return
    token = CALL.set(RunCall(context))
    try:
        yield
    finally:
        CALL.reset(token)
