"""Whether an event loop can still do anything."""

from __future__ import annotations

import asyncio
import threading


class Home:
    """The loop that something began in, and its thread."""

    __slots__ = ("_loop", "_thread")

    def __init__(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._thread = threading.current_thread()

    def is_gone(self) -> bool:
        """Whether the loop was closed, or does not run and its thread has ended.

        One that only does not run at the moment may be run again by its thread.
        """
        loop = self._loop
        if loop is None:
            return False
        return loop.is_closed() or not (loop.is_running() or self._thread.is_alive())
