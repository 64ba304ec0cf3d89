"""What a worker does for MCP servers of workflows: connects them, asks them, ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import Worker

from outlast.mcp.manager import MCPServerManager
from outlast.mcp.protocol import MCPServer
from outlast.temporal.workflow_servers import (
    CALL_TOOL,
    END,
    GET_PROMPT,
    LIST_PROMPTS,
    LIST_TOOLS,
    SESSION,
    ServerProvider,
)

_CONNECT_S = 60.0
_BEAT_S = 5.0


class Connection:
    """One server, connected while somebody needs it, and a while longer."""

    def __init__(self, provider: ServerProvider, idle: timedelta | None) -> None:
        self._provider, self._idle = provider, idle
        self._manager: MCPServerManager | None = None
        self._users = 0
        self._gate = asyncio.Lock()
        self._ending: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def server(self) -> AsyncGenerator[MCPServer]:
        """The server. What goes wrong ends the connection, if nobody else uses it: the next one is made anew."""
        self._users += 1
        try:
            async with self._gate:
                if self._ending is not None:
                    self._ending.cancel()
                if self._manager is None:
                    manager = _managed(self._provider.make(None))
                    await manager.connect_all()
                    self._manager = manager
                [server] = self._manager.all_servers
            try:
                yield server
            except BaseException:
                if self._users == 1:
                    await self.close()
                raise
        finally:
            self._users -= 1
            self._rest()

    async def close(self) -> None:
        """End the connection."""
        async with self._gate:
            manager, self._manager = self._manager, None
            if manager is not None:
                await manager.cleanup_all()

    def _rest(self) -> None:
        """End the connection some time after the last one who has used it."""
        if self._users or self._idle is None:
            return
        loop = asyncio.get_running_loop()
        self._ending = loop.call_later(self._idle.total_seconds(), self._end)

    def _end(self) -> None:
        if not self._users:
            self._closing = asyncio.get_running_loop().create_task(self.close())


class ServerActivities:
    """The activities of one server.

    Args:
        provider: Makes it.
        idle: How long a connection is kept that nobody uses; None for as long as the worker lives. Zero
            connects for each operation.
    """

    def __init__(self, provider: ServerProvider, idle: timedelta | None) -> None:
        self._provider = provider
        self._idle = idle
        self._connection = Connection(provider, idle)

    def activities(self) -> Sequence[Callable[..., Any]]:
        """What to give to a worker."""
        if not self._provider.is_stateful:
            return self._operations(self._server)
        name = f"{self._provider.name}-{SESSION}"
        return [activity.defn(name=name)(self._session_activity())]

    async def close(self) -> None:
        """End what is connected."""
        await self._connection.close()

    @asynccontextmanager
    async def _server(self, argument: Any) -> AsyncGenerator[MCPServer]:
        if argument is None and self._idle != timedelta(0):
            async with self._connection.server() as server:
                yield server
            return
        async with _managed(self._provider.make(argument)) as manager:
            yield manager.all_servers[0]

    def _session_activity(self) -> Callable[..., Any]:
        async def session(queue: str, argument: Any) -> None:
            """Hold a connection, and perform what is asked of it on a queue of its own."""
            async with _managed(self._provider.make(argument)) as manager:
                [server] = manager.all_servers

                @asynccontextmanager
                async def held(_: Any) -> AsyncGenerator[MCPServer]:
                    yield server

                ended = asyncio.Event()

                async def end(args: list[Any], argument: Any) -> None:
                    del args, argument
                    ended.set()

                last = activity.defn(name=f"{self._provider.name}-{END}")(end)
                operations = [*self._operations(held), last]
                async with Worker(activity.client(), task_queue=queue, activities=operations):
                    await _beat_until(ended)

        return session

    def _operations(self, connected: Callable[[Any], Any]) -> Sequence[Callable[..., Any]]:
        async def list_tools(args: list[Any], argument: Any) -> Any:
            async with connected(argument) as server:
                return [_data(each) for each in await server.list_tools(*args)]

        async def call_tool(args: list[Any], argument: Any) -> Any:
            async with connected(argument) as server:
                return _data(await server.call_tool(*args))

        async def list_prompts(args: list[Any], argument: Any) -> Any:
            async with connected(argument) as server:
                return _data(await server.list_prompts(*args))

        async def get_prompt(args: list[Any], argument: Any) -> Any:
            async with connected(argument) as server:
                return _data(await server.get_prompt(*args))

        named: dict[str, Callable[..., Any]] = {
            LIST_TOOLS: list_tools, CALL_TOOL: call_tool,
            LIST_PROMPTS: list_prompts, GET_PROMPT: get_prompt,
        }  # fmt: skip
        name = self._provider.name
        return [activity.defn(name=f"{name}-{each}")(code) for each, code in named.items()]


async def _beat_until(ended: asyncio.Event) -> None:
    """Say that this worker lives, until it is told to end or the activity is cancelled."""
    timeout = activity.info().heartbeat_timeout
    every_s = timeout.total_seconds() / 3 if timeout else _BEAT_S
    while not ended.is_set():
        activity.heartbeat()
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), every_s)


def _managed(server: MCPServer) -> MCPServerManager:
    return MCPServerManager([server], strict=True, connect_timeout_seconds=_CONNECT_S)


def _data(answer: Any) -> Any:
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)
