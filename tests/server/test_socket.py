"""The WebSocket: many runs over one connection, and nobody who may not."""

import asyncio
import json

import pytest
from tests.server.conftest import PATIENCE_S, desk_of, server_of
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from outlast.journal import open_journal
from outlast.server import App
from outlast.testing import ScriptedModel, assistant_message, function_call

REFUND = function_call("refund", {"order": "A-1"}, call_id="c1")


class Talk:
    """A socket, and all that came over it."""

    def __init__(self, socket) -> None:
        self._socket = socket
        self.events: list[dict] = []

    async def ask(self, op: str, **fields):
        """The answer to a frame; events that come before it are kept."""
        await self._socket.send(json.dumps({"op": op, "id": op, **fields}))
        while True:
            frame = await self.next()
            if frame.get("id") == op and frame["op"] != "event":
                return frame

    async def next(self) -> dict:
        frame = json.loads(await asyncio.wait_for(self._socket.recv(), PATIENCE_S))
        if frame["op"] == "event":
            self.events.append(frame)
        return frame

    async def until(self, sub: int, kind: str) -> dict:
        """The event of that kind, perhaps one that came already."""
        while True:
            for event in self.events:
                if (event["sub"], event["type"]) == (sub, kind):
                    return event
            await self.next()


async def test_two_runs_are_begun_followed_decided_and_cancelled_over_one_socket():
    script = [[REFUND], [REFUND], [assistant_message("Refunded.")]]
    app = App(agents=[desk_of(ScriptedModel(script))])
    headers = {"Authorization": f"Bearer {app.token}"}
    async with (
        server_of(app) as url,
        connect(
            f"{url.replace('http', 'ws')}/api/v1/ws", additional_headers=headers,
            subprotocols=["outlast.v1"],
        ) as socket,
    ):  # fmt: skip
        assert socket.subprotocol == "outlast.v1"
        talk = Talk(socket)
        for sub, run_id in ((1, "r1"), (2, "r2")):
            started = await talk.ask("start", input="Refund it", run_id=run_id)
            assert started["op"] == "done", started
            await talk.ask("subscribe", sub=sub, run_id=run_id)
            await talk.until(sub, "approval.requested")
        decided = await talk.ask("decide", run_id="r1", key="c1", decision="approve")
        assert decided["op"] == "done", decided
        assert (await talk.until(1, "end"))["data"] == {"status": "completed"}
        await talk.ask("cancel", run_id="r2")
        assert (await talk.until(2, "end"))["data"] == {"status": "cancelled"}
        for sub, run_id in ((1, "r1"), (2, "r2")):
            seen = [int(e["id"]) for e in talk.events if e["sub"] == sub and e["id"]]
            assert seen == [stored.seq for stored in await open_journal().read(run_id)]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ("[", "malformed-json"), ("7", "invalid"), ('{"op": "fly"}', "invalid"),
        ('{"op": "subscribe", "run_id": "none"}', "run-not-found"), ('{"op": "subscribe"}', "invalid"),
        ('{"op": "start"}', "invalid"), ('{"op": "decide", "run_id": "none", "key": "k"}', "invalid"),
    ],
)  # fmt: skip
async def test_a_frame_that_means_nothing_is_answered_with_a_problem(frame: str, kind: str):
    app = App(agents=[desk_of()])
    headers = {"Authorization": f"Bearer {app.token}"}
    async with (
        server_of(app) as url,
        connect(f"{url.replace('http', 'ws')}/api/v1/ws", additional_headers=headers) as socket,
    ):
        await socket.send(frame)
        answer = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
    assert (answer["op"], answer["type"]) == ("problem", f"/problems/{kind}")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
)
async def test_nobody_else_gets_a_socket(headers: dict[str, str]):
    app = App(agents=[desk_of()])
    if headers:
        headers = {"Authorization": f"Bearer {app.token}", **headers}
    async with server_of(app) as url:
        with pytest.raises(InvalidStatus):
            await connect(
                f"{url.replace('http', 'ws')}/api/v1/ws", additional_headers=headers
            ).__aenter__()
