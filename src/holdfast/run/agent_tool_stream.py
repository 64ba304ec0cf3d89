"""Telling a callback what an agent that runs as a tool does, while it does it.

The callback runs beside the agent's run and in the order of events. It may lag behind by a bounded
number of events; whichever of the two fails for good stops the other.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from holdfast.core.errors import UserError
from holdfast.definitions import debug
from holdfast.definitions.agent import Agent, AgentToolStreamEvent
from holdfast.definitions.logger import logger

_HANDLER_FAILED = "Error while handling an agent tool on_stream event"
_CLOSE_FAILED = "Error while closing an agent tool stream after failure"
_GRACE_S = 1.0
"""How long a cancelled call waits for its callback to clean up."""


class _Overflow(UserError):
    """The callback is too slow."""


class StreamTeller:
    """One nested run and the callback that is told of it."""

    def __init__(
        self, streamed: Any, agent: Agent[Any], tool_call: Any, handler: Callable[..., Any]
    ) -> None:
        self._streamed = streamed
        self._agent = agent
        self._first = agent
        self._tool_call = tool_call
        self._handler = handler
        self._queue: asyncio.Queue[AgentToolStreamEvent | None] = asyncio.Queue()

    async def run(self, limit: int | None) -> None:
        """Tell the callback everything, and return when both have ended.

        Args:
            limit: How many events may wait for the callback; None for no limit.

        Raises:
            UserError: More events than that waited. The nested run was stopped.
            BaseException: What the nested run, or a callback that was cancelled, failed with.
        """
        teller = asyncio.ensure_future(self._tell())
        reader = asyncio.ensure_future(self._read(limit))
        try:
            await asyncio.wait({teller, reader}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and not _overflowed(reader):
                # Also after an error: what came before it is still told.
                self._queue.put_nowait(None)
                await asyncio.wait({teller})
        except asyncio.CancelledError:
            await self._stop(teller, reader, _GRACE_S)
            raise
        is_fine = teller.done() and not teller.cancelled() and teller.exception() is None
        if not (is_fine and reader.done()) or _failed(reader):
            await self._stop(teller, reader)
        for task in (reader, teller) if _overflowed(reader) else (teller, reader):
            await task

    async def _read(self, limit: int | None) -> None:
        events = self._streamed.stream_events()
        try:
            async for event in events:
                self._agent = getattr(event, "new_agent", self._agent)
                if limit is not None and self._queue.qsize() >= limit:
                    await self._catch_up(limit)
                self._queue.put_nowait(
                    {"event": event, "agent": self._agent, "tool_call": self._tool_call}
                )
        except _Overflow:
            await _close(events)
            raise

    async def _catch_up(self, limit: int) -> None:
        await asyncio.sleep(0)  # A callback that keeps up gets its turn.
        if self._queue.qsize() >= limit:
            raise _Overflow(
                f"The on_stream callback of agent {self._first.name!r} is too slow: more than "
                f"on_stream_max_pending_events={limit} events wait for it. Make it quicker, or raise "
                "the limit."
            )

    async def _tell(self) -> None:
        while (event := await self._queue.get()) is not None:
            try:
                answer = self._handler(event)
                if inspect.isawaitable(answer):
                    await answer
            except Exception as error:  # noqa: BLE001  # a user's callback
                self._log_failure(error)

    def _log_failure(self, error: Exception) -> None:
        if debug.DONT_LOG_MODEL_DATA or debug.DONT_LOG_TOOL_DATA:
            logger.error("%s", _HANDLER_FAILED)
            return
        about = {"openai_agents_diagnostic_context": {"agent_name": self._first.name}}
        logger.error("%s", _HANDLER_FAILED, exc_info=error, extra=about)

    async def _stop(
        self,
        teller: asyncio.Future[None],
        reader: asyncio.Future[None],
        timeout: float | None = None,
    ) -> None:
        """Stop the nested run and the callback, and wait until both have."""
        was_reading = not reader.done()
        for task in (teller, reader):
            task.cancel()
        run: Any = getattr(self._streamed, "run_loop_task", None)
        if run is not None:
            self._streamed.cancel()
        await asyncio.wait({teller, reader, *([run] if run is not None else [])}, timeout=timeout)
        if was_reading and _failed(reader):
            logger.error(_CLOSE_FAILED)


async def _close(events: Any) -> None:
    try:
        await events.aclose()
    except BaseException:  # noqa: BLE001  # the failure that led here is the one to tell
        logger.error(_CLOSE_FAILED)


def _failed(task: asyncio.Future[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


def _overflowed(task: asyncio.Future[None]) -> bool:
    return _failed(task) and isinstance(task.exception(), _Overflow)
