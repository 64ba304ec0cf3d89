"""The smallest API: a message in, a response out; and the same as a stream of text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from outlast.server.callers import Caller, Writer
from outlast.server.openai.said import said_in
from outlast.server.problems import Problem
from outlast.server.routes.runs import Body, Id
from outlast.server.service import Order, Service, service_of
from outlast.server.shown import Json
from outlast.server.sse import HEADERS, MEDIA, Place, RunStream, Wishes
from outlast.views.status import failure_of

router = APIRouter(prefix="/chat", tags=["chat"])
_WAIT_S = 3600.0


class Message(Body):
    """What somebody says to an agent."""

    message: Annotated[str, Field(max_length=2**20)]
    session_id: Id | None = None


@router.post("", operation_id="chat")
async def chat(body: Message, request: Request, caller: Writer) -> Json:
    """The answer of the only agent."""
    return await _answered(service_of(request), "", body, caller)


@router.post("/stream", operation_id="streamChat", response_model=None)
async def stream(body: Message, request: Request, caller: Writer) -> StreamingResponse:
    """The same as it is written: events of the run, and text between them."""
    service = service_of(request)
    run_id, _ = await service.begin(_order("", body), caller)
    wishes = Wishes(has_deltas=True, until_pause=True)
    frames: AsyncIterator[bytes] = RunStream(service, run_id, Place(), wishes).frames()
    return StreamingResponse(
        frames, headers={**HEADERS, "Outlast-Run-Id": run_id}, media_type=MEDIA
    )


@router.post("/{agent}", operation_id="chatWith")
async def chat_with(agent: str, body: Message, request: Request, caller: Writer) -> Json:
    """The answer of an agent."""
    return await _answered(service_of(request), agent, body, caller)


def _order(agent: str, body: Message) -> Order:
    return Order(
        agent=agent, input=body.message, session_id=body.session_id or f"chat-{uuid4().hex}"
    )


async def _answered(service: Service, agent: str, body: Message, caller: Caller) -> Json:
    order = _order(agent, body)
    run_id, _ = await service.begin(order, caller)
    await service.wait(run_id, _WAIT_S)
    said = said_in(await service.log(run_id, caller))
    failure = failure_of(said.state)
    if failure is not None:
        raise Problem(500, "run-failed", f"{failure.kind}: {failure.message}", run_id=run_id)
    waiting = [{"key": call.key, "tool": call.tool} for call in said.waiting]
    return {
        "response": said.text,
        "session_id": order.session_id,
        "run_id": run_id,
        "waiting": waiting,
    }
