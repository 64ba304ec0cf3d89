"""Following a run from its beginning: its events, the text in flight between them, and signs of life.

What every stream is made of, in whatever protocol. Nothing is kept for a reader: facts are read from the
log as fast as it takes them, and of a text in flight there is one for all. So a slow reader holds nothing
up and costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from enum import Enum
from typing import Any

from outlast.core.evolve import evolve
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.server.live import Draft
from outlast.server.service import AT_REST, Service
from outlast.views.status import ENDED, status

BEAT_S = 15.0
"""Between two signs of life, so that nothing in between takes the stream for dead."""


class Sign(Enum):
    """What is no event of the run."""

    BEAT = "beat"
    """Nothing has happened for a while."""
    END = "end"
    """Nothing more happens: the run has ended, or waits for somebody."""
    LEAVING = "leaving"
    """The server is about to leave. Another one goes on with the run, and with the stream."""


class Feed:
    """One reader's way through a run.

    Args:
        service: Where the run is.
        run_id: The run.
        until_rest: Whether it ends too when the run waits for somebody.
    """

    def __init__(self, service: Service, run_id: str, *, until_rest: bool) -> None:
        self.state = RunState()
        """The run as far as it was read."""
        self._service = service
        self._run_id = run_id
        self._rests = AT_REST if until_rest else ENDED
        self._log: Any = service.journal.watch(run_id)
        self._bell = asyncio.Event()
        self._bell.set()  # Text may be in flight already.

    async def read(self) -> AsyncIterator[Stored | Draft | Sign]:
        """What happens, until the run ends or the server leaves."""
        live = self._service.worker.live
        live.listen(self._run_id, self._bell)
        following = asyncio.ensure_future(anext(self._log))
        leaving = asyncio.create_task(self._service.leaving.wait())
        try:
            while True:
                await self._news(following, leaving)
                found = self._fact(following) if following.done() else self._other(leaving)
                if found is not None:
                    yield found
                if found is Sign.LEAVING:
                    return
                if isinstance(found, Stored):
                    following = asyncio.ensure_future(anext(self._log))
                    await asyncio.sleep(0)
                if status(self.state) in self._rests and not following.done():
                    yield Sign.END
                    return
        finally:
            live.ignore(self._run_id, self._bell)
            leaving.cancel()
            following.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await following
            await self._log.aclose()

    async def _news(self, following: asyncio.Future[Stored], leaving: asyncio.Task[Any]) -> None:
        """Wait for an event, for text, for the end of the server, or for so long that a sign is due."""
        ringing = asyncio.create_task(self._bell.wait())
        first = asyncio.FIRST_COMPLETED
        try:
            await asyncio.wait({following, leaving, ringing}, timeout=BEAT_S, return_when=first)
        finally:
            ringing.cancel()

    def _fact(self, following: asyncio.Future[Stored]) -> Stored:
        stored = following.result()
        self.state = evolve(self.state, stored.event)
        return stored

    def _other(self, leaving: asyncio.Task[Any]) -> Draft | Sign | None:
        """What there is where no event has come."""
        if leaving.done():
            return Sign.LEAVING
        if not self._bell.is_set():
            return Sign.BEAT
        self._bell.clear()
        return self._service.worker.live.draft(self._run_id)
