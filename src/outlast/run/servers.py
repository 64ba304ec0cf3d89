"""The MCP servers of agents that somebody else's process performs: connected there, and closed there.

A program connects its servers where it calls `Runner.run`. A command, or a worker, performs agents of a
file in which nobody could: no loop runs while a file is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from outlast.effects.registry import reachable

T = TypeVar("T")


@asynccontextmanager
async def connected_servers(*agents: object) -> AsyncGenerator[None]:
    """Connect the servers of ``agents``, and of those that they lead to, for as long as this block lasts.

    Those that have a connection keep it. They connect at the same time, each in a task of its own that
    cleans it up, too.

    Raises:
        MCPConnectionError: One cannot be reached; the others are cleaned up.
    """
    closing, loop = asyncio.Event(), asyncio.get_running_loop()
    ready: list[tuple[Any, asyncio.Future[None]]] = [
        (server, loop.create_future()) for server in _unconnected(agents)
    ]
    owners = [asyncio.create_task(_held(server, done, closing)) for server, done in ready]
    try:
        failures = await asyncio.gather(*(done for _, done in ready), return_exceptions=True)
        if failure := next(filter(None, failures), None):
            raise failure
        yield
    finally:
        closing.set()
        for (_, done), owner in zip(ready, owners, strict=True):
            if not done.done() or done.cancelled():
                owner.cancel()
        await asyncio.gather(*owners, return_exceptions=True)


async def among_servers(work: Coroutine[Any, Any, T], *agents: object) -> T:
    """What ``work`` returns, done while the servers of ``agents`` are connected.

    Raises:
        MCPConnectionError: One cannot be reached, and nothing was done.
    """
    try:
        async with connected_servers(*agents):
            return await work
    finally:
        work.close()


def _unconnected(agents: tuple[Any, ...]) -> list[Any]:
    every = [each for agent in agents for named in reachable(agent).values() for each in named]
    servers = {id(server): server for each in every for server in each.mcp_servers}
    return [each for each in servers.values() if getattr(each, "session", None) is None]


async def _held(server: Any, ready: asyncio.Future[None], closing: asyncio.Event) -> None:
    try:
        await server.connect()
    except BaseException as error:
        if not ready.done():
            ready.set_exception(error)
        await server.cleanup()
        raise
    if not ready.done():
        ready.set_result(None)
    try:
        await closing.wait()
    finally:
        await server.cleanup()
