"""Follow a log while it grows."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

from outlast.journal.journal import Journal, Stored

_POLL_S = 0.1
_NOBODY: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}


class Watchers:
    """Who wants to know about which run, in whichever loops they live."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, dict[asyncio.Event, asyncio.AbstractEventLoop]]
        self._bells = defaultdict(dict)

    def has_any(self) -> bool:
        """Whether somebody follows a run."""
        return bool(self._bells)

    def ring(self, run_id: str) -> None:
        """Wake those who wait for the run. May be called from any thread."""
        for bell, loop in list(self._bells.get(run_id, _NOBODY).items()):
            with contextlib.suppress(RuntimeError):  # Its loop has ended meanwhile.
                loop.call_soon_threadsafe(bell.set)

    async def follow(
        self, journal: Journal, run_id: str, after: int, version: Callable[[], int]
    ) -> AsyncIterator[Stored]:
        """The events behind `after`, then new ones: at once from this process, soon from others.

        Args:
            journal: Where to read.
            run_id: The run.
            after: The last position that the caller has.
            version: A number that changes when any process commits anything.
        """
        loop = asyncio.get_running_loop()
        bell = asyncio.Event()
        self._bells[run_id][bell] = loop
        try:
            while True:
                bell.clear()
                seen = version()
                for stored in await journal.read(run_id, after=after):
                    after = max(after, stored.seq)
                    yield stored
                while version() == seen:
                    timer = loop.call_later(_POLL_S, bell.set)
                    await bell.wait()
                    timer.cancel()
                    bell.clear()
        finally:
            del self._bells[run_id][bell]
            if not self._bells[run_id]:
                del self._bells[run_id]
