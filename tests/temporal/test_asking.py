"""A server that is busy gives things up; whoever may ask twice does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from outlast.temporal.asking import answered


class Server:
    """Fails as often as it is told to, and answers then."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = [*errors]
        self.asked = 0

    async def answer(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    async def update(self) -> str:
        """The same, as Temporal's client does it for updates."""
        try:
            return await self.answer()
        except (RPCError, asyncio.CancelledError) as error:
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error


def refusal(status: RPCStatusCode) -> RPCError:
    return RPCError("no", status, b"")


def ways(server: Server) -> list[Callable[[], Awaitable[str]]]:
    return [server.answer, server.update]


@pytest.mark.parametrize("way", [0, 1], ids=["query", "update"])
@pytest.mark.parametrize("status", ["CANCELLED", "RESOURCE_EXHAUSTED", "ABORTED"])
async def test_what_a_busy_server_gives_up_is_asked_again(status: str, way: int):
    server = Server(*[refusal(RPCStatusCode[status])] * 2)
    assert await answered(ways(server)[way]) == "answer"
    assert server.asked == 3


@pytest.mark.parametrize("way", [0, 1], ids=["query", "update"])
@pytest.mark.parametrize("status", ["NOT_FOUND", "PERMISSION_DENIED", "DEADLINE_EXCEEDED"])
async def test_what_it_refuses_is_not(status: str, way: int):
    server = Server(refusal(RPCStatusCode[status]))
    with pytest.raises(RPCError):
        await answered(ways(server)[way])
    assert server.asked == 1


@pytest.mark.parametrize("way", [0, 1], ids=["query", "update"])
async def test_who_is_cancelled_asks_no_more(way: int):
    server = Server(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await answered(ways(server)[way])
    assert server.asked == 1
