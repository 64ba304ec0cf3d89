"""One WebSocket for everything: subscriptions to any number of runs, and what one tells them.

A browser keeps six connections to a server; over this one go as many streams as somebody looks at.
Frames are JSON: `{"op": "subscribe", "sub": 1, "run_id": "r", "after": 23, "deltas": true}`, `unsubscribe`,
and `start`, `input`, `decide`, `cancel`, each with an `id` that its answer bears.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from outlast.core.errors import AgentsException
from outlast.run import control
from outlast.server.callers import Caller
from outlast.server.problems import Problem, body_of, problem_of
from outlast.server.routes.approvals import Decision, decided
from outlast.server.routes.runs import Start, order_of
from outlast.server.service import Service
from outlast.server.shown import Json
from outlast.server.sse import Place, RunStream, Wishes

router = APIRouter(prefix="/api/v1")
PROTOCOL = "outlast.v1"
SUBSCRIPTIONS_MAX = 50
_NOT_LOGGED_IN, _FORBIDDEN, _RESTARTS = 4401, 4403, 1012


@router.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """Speak with somebody for as long as they stay."""
    if not _is_own_page(websocket):
        await websocket.close(_FORBIDDEN)
        return
    found: Any = websocket.app.state.authenticate(websocket)
    caller: Caller | None = await found if inspect.isawaitable(found) else found
    if caller is None:
        await websocket.close(_NOT_LOGGED_IN)
        return
    offered = websocket.scope.get("subprotocols", ())
    await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
    talk = _Talk(websocket, websocket.app.state.service, caller)
    with suppress(WebSocketDisconnect, RuntimeError):
        await talk.hold()


def _is_own_page(websocket: WebSocket) -> bool:
    """Whether a browser asks for a page of this server; programs name no origin."""
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")


class _Talk:
    """One open socket."""

    def __init__(self, websocket: WebSocket, service: Service, caller: Caller) -> None:
        self._socket = websocket
        self._service = service
        self._caller = caller
        self._sending = asyncio.Lock()
        self._subscriptions: dict[Any, asyncio.Task[None]] = {}
        self._acts: dict[str, Callable[[Json], Awaitable[Any]]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "start": self._start,
            "input": self._input,
            "decide": self._decide,
            "cancel": self._cancel,
        }

    async def hold(self) -> None:
        """Answer every frame, until somebody leaves."""
        leaving = asyncio.create_task(self._leave())
        try:
            while True:
                await self._answer(await self._socket.receive_text())
        finally:
            for task in (leaving, *self._subscriptions.values()):
                task.cancel()

    async def _leave(self) -> None:
        await self._service.leaving.wait()
        await self._socket.close(_RESTARTS)

    async def _answer(self, text: str) -> None:
        name: Any = None
        try:
            frame: Any = json.loads(text)
            fields: Json = cast("Json", frame) if isinstance(frame, dict) else {}
            name = fields.pop("id", None)
            act = self._acts.get(str(fields.pop("op", "")), self._refuse)
            await self._send({"op": "done", "id": name, "data": await act(fields)})
        except (ValueError, KeyError, RecursionError, AgentsException, Problem) as error:
            await self._send({"op": "problem", "id": name, **_as_body(error)})

    async def _send(self, frame: Json) -> None:
        async with self._sending:
            await self._socket.send_text(json.dumps(frame))

    async def _refuse(self, fields: Json) -> Json:
        del fields
        raise Problem(400, "invalid", f"A frame has an op: {', '.join(self._acts)}.")

    def _require(self, scope: str) -> None:
        if not self._caller.may(scope):
            raise Problem(403, "scope-missing", f"This wants the scope {scope!r}.")

    async def _subscribe(self, fields: Json) -> Json:
        self._require("runs:read")
        run_id, sub = str(fields["run_id"]), fields.get("sub")
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise Problem(
                429, "rate-limited", f"A socket has at most {SUBSCRIPTIONS_MAX} subscriptions."
            )
        await self._service.log(run_id, self._caller)
        await self._unsubscribe(fields)
        wishes = Wishes(
            has_deltas=bool(fields.get("deltas")), until_pause=bool(fields.get("until_pause"))
        )
        stream = RunStream(self._service, run_id, Place.parse(str(fields.get("after", -1))), wishes)
        self._subscriptions[sub] = asyncio.create_task(self._tell(sub, stream))
        return {"sub": sub}

    async def _unsubscribe(self, fields: Json) -> Json:
        task = self._subscriptions.pop(fields.get("sub"), None)
        if task is not None:
            task.cancel()
        return {"sub": fields.get("sub")}

    async def _tell(self, sub: Any, stream: RunStream) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # They have left.
            async for event in stream.events():
                if event is not None:
                    kind, place, data = event
                    await self._send(
                        {"op": "event", "sub": sub, "id": place, "type": kind, "data": data}
                    )
        if self._subscriptions.get(sub) is asyncio.current_task():
            del self._subscriptions[sub]

    async def _start(self, fields: Json) -> Json:
        self._require("runs:write")
        key = fields.pop("key", None)
        order = order_of(Start.model_validate(fields), key)
        run_id, _ = await self._service.begin(order, self._caller)
        return await self._service.state(run_id, self._caller)

    async def _input(self, fields: Json) -> Json:
        self._require("runs:write")
        return await self._told(fields, control.send, input=fields["text"])

    async def _cancel(self, fields: Json) -> Json:
        self._require("runs:write")
        return await self._told(fields, control.cancel, mode=fields.get("mode", "immediate"))

    async def _told(self, fields: Json, tell: Any, **what: Any) -> Json:
        run_id = str(fields["run_id"])
        await self._service.log(run_id, self._caller)
        await tell(
            run_id, by=self._caller.id, run_config={"journal": self._service.journal}, **what
        )
        return await self._service.state(run_id, self._caller)

    async def _decide(self, fields: Json) -> Json:
        self._require("approvals:decide")
        run_id, key = str(fields.pop("run_id")), str(fields.pop("key"))
        return await decided(
            self._service, run_id, key, Decision.model_validate(fields), self._caller
        )


def _as_body(error: Exception) -> Json:
    if isinstance(error, ValidationError):
        faults = ", ".join("/".join(map(str, each["loc"])) for each in error.errors()[:5])
        return body_of(Problem(422, "invalid", f"What is said of {faults} cannot be understood."))
    if isinstance(error, KeyError):
        return body_of(Problem(422, "invalid", f"The frame has no {error}."))
    return body_of(
        problem_of(error) or Problem(400, "malformed-json", "A frame is an object of JSON.")
    )
