"""A TCP proxy that loses what it is told to lose: requests, answers, connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class FaultProxy:
    """Forwards bytes to a server. At random it cuts a connection: before a request or an answer has gone
    through (it is lost), or after.

    Args:
        host: The server.
        port: Its port.
        seed: The same faults for the same traffic.
        every: One fault in about so many pieces that go through.
    """

    def __init__(self, host: str, port: int, *, seed: int, every: int) -> None:
        self.target = host, port
        self._random = random.Random(seed)  # not for secrets
        self._every = every
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.faults = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server
        return int(self._server.sockets[0].getsockname()[1])

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[FaultProxy]:
        """Serve within the block."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        writers = [writer]
        ways: list[asyncio.Task[None]] = []
        try:
            there, back = await asyncio.open_connection(*self.target)
            writers.append(back)
            ways.append(asyncio.create_task(self._forward(reader, back)))
            ways.append(asyncio.create_task(self._forward(there, writer)))
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # The server is away, or the proxy is: the client hears of it either way.
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in writers:
                each.transport.abort()
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                fault = self._fault()
                if fault == "lost":
                    return
                writer.write(data)
                await writer.drain()
                if fault == "cut":
                    await asyncio.sleep(0.002)  # What was sent arrives before the connection ends.
                    return

    def _fault(self) -> str:
        if self._random.randrange(self._every):
            return ""
        self.faults += 1
        return self._random.choice(("lost", "cut"))
