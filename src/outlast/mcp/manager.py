"""Many servers at once: connected together, and each by a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from outlast.definitions.logger import logger
from outlast.mcp.names import public_name
from outlast.mcp.options import check_seconds
from outlast.mcp.protocol import MCPServer

_Step = Callable[[], Awaitable[None]]


class _Owner:
    """The task that connects one server and cleans it up. Many libraries want that to be one task."""

    def __init__(self, server: MCPServer) -> None:
        self.server = server
        self.is_connected = False
        self.cleaning: asyncio.Future[None] | None = None
        """A clean-up that took longer than anybody waited for."""
        self._steps: asyncio.Queue[tuple[_Step, asyncio.Future[None]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._is_interrupted = False
        """Whether only the step is cancelled that the task performs."""

    async def connect(self, seconds: float | None) -> None:
        """Connect the server.

        Raises:
            TimeoutError: That took longer than ``seconds``.
        """
        await self._performed(self._timed(self.server.connect, seconds))
        self.is_connected = True

    async def cleanup(self, seconds: float | None) -> None:
        """Clean the server up, and end the task.

        Raises:
            TimeoutError: That took longer than ``seconds``; it goes on.
        """
        if self._task is None or self._task.done():
            return
        done = self.cleaning or self._post(self.server.cleanup)
        self.cleaning = done
        finished, _ = await asyncio.wait([done], timeout=seconds)
        if not finished:
            raise TimeoutError(f"cleanup took longer than {seconds} s")
        self.cleaning, self.is_connected = None, False
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task])
        done.result()

    def _timed(self, step: _Step, seconds: float | None) -> _Step:
        async def timed() -> None:
            async with asyncio.timeout(seconds):
                await step()

        return timed

    def _post(self, step: _Step) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_seen)
        self._steps.put_nowait((step, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="mcp-manager-owner")
        return done

    async def _performed(self, step: _Step) -> None:
        done = self._post(step)
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            if not done.done() and self._task is not None:
                self._is_interrupted = True
                self._task.cancel()  # The step ends; the task stays, to clean up.
                await asyncio.wait([done])
            raise

    async def _work(self) -> None:
        while True:
            step, done = await self._steps.get()
            try:
                await step()
            except BaseException as error:  # it is raised where the step was wanted
                is_over = _is_cancelled() and not self._is_interrupted
                self._is_interrupted = False
                if not is_over:
                    _uncancel()
                done.set_exception(_as_result(error))
                if is_over:
                    raise  # The loop ends, and so has this task to.
            else:
                done.set_result(None)


class _Cancelled(Exception):
    """A server cancelled its own connecting. A future cannot hold the cancellation itself."""

    def __init__(self, error: asyncio.CancelledError) -> None:
        super().__init__()
        self.error = error


def _as_result(error: BaseException) -> BaseException:
    return _Cancelled(error) if isinstance(error, asyncio.CancelledError) else error


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _uncancel() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _seen(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()  # Whoever wanted it may have gone.


class MCPServerManager(AbstractAsyncContextManager["MCPServerManager"]):
    """Connects many servers, keeps those that answer, and cleans all of them up.

        async with MCPServerManager(servers, connect_in_parallel=True) as manager:
            agent = Agent(name="Clerk", mcp_servers=manager.active_servers)

    It may be entered in one task and left in another, as web frameworks do.
    """

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        servers: Iterable[MCPServer],
        *,
        connect_timeout_seconds: float | None = 10.0,
        cleanup_timeout_seconds: float | None = 10.0,
        drop_failed_servers: bool = True,
        strict: bool = False,
        suppress_cancelled_error: bool = True,
        connect_in_parallel: bool = False,
    ) -> None:
        """Say which servers, and what to do about those that do not answer.

        Args:
            servers: Each is connected once, however often it is in there.
            connect_timeout_seconds: For each server; None for ever.
            cleanup_timeout_seconds: For each server; None for ever.
            drop_failed_servers: Whether a server that did not connect is left out of
                `active_servers`.
            strict: Whether the first failure is raised.
            suppress_cancelled_error: Whether a cancellation inside of a server's `connect` is a
                failure of that server like any other.
            connect_in_parallel: Whether they are connected at the same time.

        Raises:
            TypeError: A timeout is no number.
            ValueError: A timeout is not positive, or has no end.
        """
        self._all = list(dict.fromkeys(servers))
        self.connect_timeout_seconds = connect_timeout_seconds
        self.cleanup_timeout_seconds = cleanup_timeout_seconds
        self.drop_failed_servers = drop_failed_servers
        self.strict = strict
        self.suppress_cancelled_error = suppress_cancelled_error
        self.connect_in_parallel = connect_in_parallel
        self._active = list(self._all)
        self._errors: dict[MCPServer, BaseException] = {}
        self._cleanup_errors: dict[MCPServer, BaseException] = {}
        self._owners: dict[MCPServer, _Owner] = {}
        self._gate = asyncio.Lock()

    @property
    def connect_timeout_seconds(self) -> float | None:
        """How long each server may take to connect; None for ever."""
        return self._connect_s

    @connect_timeout_seconds.setter
    def connect_timeout_seconds(self, seconds: float | None) -> None:
        check_seconds("connect_timeout_seconds", seconds)
        self._connect_s = seconds

    @property
    def cleanup_timeout_seconds(self) -> float | None:
        """How long each server may take to be cleaned up; None for ever."""
        return self._cleanup_s

    @cleanup_timeout_seconds.setter
    def cleanup_timeout_seconds(self, seconds: float | None) -> None:
        check_seconds("cleanup_timeout_seconds", seconds)
        self._cleanup_s = seconds

    @property
    def active_servers(self) -> list[MCPServer]:
        """The servers to give to agents."""
        return list(self._active)

    @property
    def all_servers(self) -> list[MCPServer]:
        """All servers, each once."""
        return list(self._all)

    @property
    def failed_servers(self) -> list[MCPServer]:
        """The servers that did not connect."""
        return [server for server in self._all if server in self._errors]

    @property
    def errors(self) -> dict[MCPServer, BaseException]:
        """Why the failed servers did not connect, and why others were not cleaned up as they should."""
        return {**self._cleanup_errors, **self._errors}

    async def __aenter__(self) -> Self:
        await self.connect_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        await self.cleanup_all()
        return None

    async def connect_all(self) -> list[MCPServer]:
        """Connect the servers that are not connected; the active ones.

        Raises:
            Exception: One failed, and the manager is strict. Those that this call has connected are
                cleaned up.
        """
        return await self._changed(lambda: self._connect(self._all, is_whole=True))

    async def reconnect(self, *, failed_only: bool = True) -> list[MCPServer]:
        """Try the failed servers again, or all; the active ones.

        Raises:
            Exception: One failed, and the manager is strict.
        """

        async def again() -> None:
            servers = self.failed_servers if failed_only else list(self._all)
            for server in servers:
                await self._cleaned(server)
            await self._connect(servers, is_whole=False)

        return await self._changed(again)

    async def cleanup_all(self) -> None:
        """Clean up all servers, the last one first. Errors are logged."""

        async def clean() -> None:
            for server in reversed(self._all):
                await self._cleaned(server)
            self._refresh()

        await self._changed(clean)

    async def _changed(self, change: Callable[[], Awaitable[None]]) -> list[MCPServer]:
        """Make one change at a time. A server may cancel its own connecting, and nobody else's.

        Whoever is cancelled before it is their turn has changed nothing, and may just want to go on.
        """
        is_our_turn = False
        try:
            async with self._gate:
                is_our_turn = True
                await change()
        except asyncio.CancelledError:
            if not self.suppress_cancelled_error or (is_our_turn and _is_cancelled()):
                raise
        return self.active_servers

    async def _connect(self, servers: list[MCPServer], *, is_whole: bool) -> None:
        wanted = [server for server in servers if not self._is_connected(server)]
        failure: BaseException | None = None
        try:
            if self.connect_in_parallel:
                failure = await self._at_once(wanted)
            else:
                failure = await self._one_by_one(wanted)
        except BaseException as error:  # noqa: BLE001  # raised below, once there is order again
            failure = error
        if failure is not None and is_whole:
            for server in reversed(wanted):
                await self._cleaned(server)
        self._refresh()
        if failure is not None:
            raise failure

    def _refresh(self) -> None:
        self._active = [
            server
            for server in self._all
            if self._is_connected(server) or (not self.drop_failed_servers)
        ]

    def _is_connected(self, server: MCPServer) -> bool:
        owner = self._owners.get(server)
        return owner is not None and owner.is_connected and owner.cleaning is None

    async def _one_by_one(self, servers: list[MCPServer]) -> BaseException | None:
        for server in servers:
            failure = await self._attempt(server)
            if failure is not None and self._raises(failure):
                return failure
        return None

    async def _at_once(self, servers: list[MCPServer]) -> BaseException | None:
        tasks = [asyncio.ensure_future(self._attempt(server)) for server in servers]
        try:
            failures = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            raise
        raised = [each for each in failures if each is not None and self._raises(each)]
        cancelled = [each for each in raised if isinstance(each, asyncio.CancelledError)]
        return (cancelled or raised or [None])[0]

    def _raises(self, failure: BaseException) -> bool:
        if isinstance(failure, asyncio.CancelledError):
            return not self.suppress_cancelled_error
        return self.strict or not isinstance(failure, Exception)

    async def _attempt(self, server: MCPServer) -> BaseException | None:
        """Connect one server. Why it did not, which is on record, and it is clean again."""
        owner = self._owners.setdefault(server, _Owner(server))
        if owner.cleaning is not None:
            error = TimeoutError(
                f"MCP server {public_name(server.name)!r} is still being cleaned up."
            )
            self._errors[server] = error
            return error
        try:
            await owner.connect(self._connect_s)
        except _Cancelled as cancelled:
            failure: BaseException = cancelled.error
        except asyncio.CancelledError:
            self._errors.setdefault(server, asyncio.CancelledError())
            await self._cleaned(server)
            raise
        except BaseException as error:  # noqa: BLE001  # kept, and raised where that is wanted
            failure = error
        else:
            self._errors.pop(server, None)
            return None
        self._errors[server] = failure
        logger.error(
            "MCP server %s did not connect: %s.", public_name(server.name), type(failure).__name__
        )
        await self._cleaned(server)
        return failure

    async def _cleaned(self, server: MCPServer) -> None:
        owner = self._owners.get(server)
        if owner is None:
            return
        self._cleanup_errors.pop(server, None)
        try:
            await owner.cleanup(self._cleanup_s)
        except _Cancelled as cancelled:
            self._cleanup_errors[server] = cancelled.error
            if not self.suppress_cancelled_error:
                raise cancelled.error from None
        except Exception as error:  # noqa: BLE001  # what cannot be cleaned up stops nobody
            self._cleanup_errors[server] = error
            logger.error(
                "Cleaning up MCP server %s: %s.", public_name(server.name), type(error).__name__
            )
        if owner.cleaning is None:
            self._owners.pop(server, None)
