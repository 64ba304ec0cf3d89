"""Which servers a manager says are active, and what went wrong with the others."""

import asyncio
from typing import Any

import pytest
from tests.mcp.test_durable import Board

from outlast.mcp import MCPServerManager


class Fragile(Board):
    """A server whose connecting or cleaning up ends as it is told to."""

    def __init__(self, name: str, log: list[str], **ends: Any) -> None:
        super().__init__(name, {})
        self.log, self.ends = log, ends
        self.has_begun = asyncio.Event()

    async def connect(self) -> None:
        await self._end("connect", "+")

    async def cleanup(self) -> None:
        await self._end("cleanup", "-")

    async def _end(self, step: str, sign: str) -> None:
        self.log.append(sign + self.name)
        self.has_begun.set()
        end = self.ends.get(step)
        if isinstance(end, BaseException):
            raise end
        if end == "hangs":
            await asyncio.Event().wait()


def names(servers: Any) -> list[str]:
    return [server.name for server in servers]


@pytest.mark.parametrize("end", [RuntimeError("x"), asyncio.CancelledError(), "hangs"])
async def test_no_server_is_active_once_all_are_cleaned_up(end: Any):
    log: list[str] = []
    servers = [Fragile("a", log), Fragile("b", log, cleanup=end)]
    manager = MCPServerManager(servers, cleanup_timeout_seconds=0.2)
    async with manager:
        assert names(manager.active_servers) == ["a", "b"]
    assert manager.active_servers == []
    assert manager.failed_servers == []
    kind = TimeoutError if end == "hangs" else type(end)
    assert {server.name: type(error) for server, error in manager.errors.items()} == {"b": kind}
    assert log == ["+a", "+b", "-b", "-a"]


@pytest.mark.parametrize("in_parallel", [False, True])
async def test_a_server_that_cancels_itself_is_left_out_of_a_strict_manager_too(in_parallel: bool):
    log: list[str] = []
    end = asyncio.CancelledError()
    servers = [Fragile("a", log), Fragile("b", log, connect=end), Fragile("c", log)]
    async with MCPServerManager(servers, strict=True, connect_in_parallel=in_parallel) as manager:
        assert names(manager.active_servers) == ["a", "c"]
        assert not {"-a", "-c"} & {*log}


@pytest.mark.parametrize("drops", [True, False])
async def test_a_strict_manager_that_failed_has_no_server_to_offer(drops: bool):
    log: list[str] = []
    servers = [Fragile("a", log), Fragile("b", log, connect=RuntimeError("x"))]
    manager = MCPServerManager(servers, strict=True, drop_failed_servers=drops)
    with pytest.raises(RuntimeError):
        await manager.connect_all()
    assert names(manager.active_servers) == ([] if drops else ["a", "b"])
    assert sorted(log) == ["+a", "+b", "-a", "-b"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_who_is_cancelled_while_servers_connect_does_not_go_on(at_once: bool):
    servers = [Fragile(name, [], connect="hangs") for name in "ab"]
    has_gone_on = False
    with pytest.raises(TimeoutError):
        async with (
            asyncio.timeout(0.05),
            MCPServerManager(servers, connect_in_parallel=at_once, connect_timeout_seconds=None),
        ):
            has_gone_on = True
    assert not has_gone_on


@pytest.mark.parametrize("suppresses", [True, False])
async def test_who_is_cancelled_before_it_is_their_turn_goes_on_where_that_is_wanted(
    suppresses: bool,
):
    server = Fragile("a", [], connect="hangs")
    manager = MCPServerManager(
        [server], connect_timeout_seconds=None, suppress_cancelled_error=suppresses
    )
    first = asyncio.create_task(manager.connect_all())
    await server.has_begun.wait()
    second = asyncio.create_task(manager.reconnect())
    await asyncio.sleep(0)
    second.cancel()
    came_to = (await asyncio.gather(second, return_exceptions=True))[0]
    first.cancel()
    ended = (await asyncio.gather(first, return_exceptions=True))[0]
    assert isinstance(came_to, list if suppresses else asyncio.CancelledError)
    assert isinstance(ended, asyncio.CancelledError)
