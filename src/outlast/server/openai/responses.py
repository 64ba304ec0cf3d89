"""Responses: a response is a run, or what a run has come to between two decisions of a person.

`resp_x` and `resp_x~2` name one log. A response that goes on from another one begins with what was said
there, which the log has; so nothing has to be kept beside it, and a conversation may branch.
"""

from __future__ import annotations

from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from outlast.run import control
from outlast.server.callers import Caller, Deleter, Reader, Writer
from outlast.server.openai.chat import WAIT_S
from outlast.server.openai.requests import new_id, object_of, order_of, refused, require_plain
from outlast.server.openai.response import response_of, run_of
from outlast.server.openai.response_stream import ResponseStream
from outlast.server.openai.said import decide, said_in
from outlast.server.service import Service, service_of
from outlast.server.shown import Json
from outlast.server.sse import HEADERS, MEDIA
from outlast.views.items import conversation

router = APIRouter(prefix="/v1", tags=["openai"])
_REFUSED = {
    "tools": "the agent's own tools are used.",
    "prompt": "the agent has its own.",
    "top_logprobs": "an agent has none.",
}


@router.post("/responses", operation_id="createResponse", response_model=None)
async def created(request: Request, body: dict[str, Any], caller: Writer) -> Response:
    """The agent's response to an input; with `stream`, as it is written."""
    service = service_of(request)
    require_plain(body, _REFUSED)
    service.agent(str(body.get("model") or ""))
    items, answers = _understood(body.get("input"))
    previous = body.get("previous_response_id")
    if answers:
        if not isinstance(previous, str) or items:
            raise refused(
                "input", "decides about calls of previous_response_id, and says nothing else."
            )
        run_id = run_of(previous)
        await decide(service, caller, run_id, answers)
    else:
        run_id = await _begun(service, request, caller, body)
    return await _answered(service, caller, run_id, body)


async def _answered(service: Service, caller: Caller, run_id: str, body: Json) -> Response:
    head = {"Outlast-Run-Id": run_id}
    if body.get("stream"):
        stream = ResponseStream(service, run_id, after=-1)
        return StreamingResponse(stream.frames(), headers={**HEADERS, **head}, media_type=MEDIA)
    if not body.get("background"):
        await service.wait(run_id, WAIT_S)
    said = said_in(await service.log(run_id, caller))
    return JSONResponse(response_of(run_id, said, with_steps=_wants_steps(body)), headers=head)


def _wants_steps(body: Json) -> bool:
    return "outlast.steps" in (body.get("include") or [])


def _understood(given: Any) -> tuple[Any, dict[str, Json]]:
    """The items of an input, and the decisions in it."""
    if isinstance(given, str):
        return given, {}
    if not isinstance(given, list) or not given:
        raise refused("input", "is a text, or a list of items, and not empty.")
    items: list[Any] = []
    answers: dict[str, Json] = {}
    for item in cast("list[Any]", given):
        fields = object_of(item)
        if fields is None:
            raise refused("input", "has an item that is no object.")
        if fields.get("type") == "mcp_approval_response":
            answers[str(fields.get("approval_request_id", "")).removeprefix("apr_")] = fields
        elif fields.get("type") != "mcp_approval_request":
            items.append(_as_developer(fields))
    return items, answers


def _as_developer(item: Json) -> Json:
    return {**item, "role": "developer"} if item.get("role") == "system" else item


async def _begun(service: Service, request: Request, caller: Caller, body: Json) -> str:
    items, _ = _understood(body.get("input"))
    session_id = _conversation(body.get("conversation"))
    previous: Any = body.get("previous_response_id")
    if previous is not None:
        if session_id is not None:
            raise refused("previous_response_id", "and conversation: say one of them.")
        items = [*await _before(service, caller, run_of(str(previous))), *_listed(items)]
    if instructions := body.get("instructions"):
        items = [{"role": "developer", "content": str(instructions)}, *_listed(items)]
    run_id = new_id("resp", request, caller)
    order = await order_of(
        service, request, caller, body, items, run_id=run_id, session_id=session_id
    )
    return (await service.begin(order, caller))[0]


def _listed(items: Any) -> list[Any]:
    return [{"role": "user", "content": items}] if isinstance(items, str) else items


def _conversation(given: Any) -> str | None:
    fields = object_of(given)
    found: Any = given if fields is None else fields.get("id")
    return None if found is None else str(found)


async def _before(service: Service, caller: Caller, run_id: str) -> list[Any]:
    """What was said in a run, and before it."""
    state = said_in(await service.log(run_id, caller)).state
    return [*state.head, *(entry.item for entry in conversation(state))]


@router.get("/responses/{response_id}", operation_id="getResponse", response_model=None)
async def response(  # what the API has
    response_id: str,
    request: Request,
    caller: Reader,
    stream: bool = False,
    starting_after: int = -1,
    include: str = "",
) -> Response:
    """A response as it is; with `stream`, what comes behind a number."""
    service, run_id = service_of(request), run_of(response_id)
    said = said_in(await service.log(run_id, caller))
    if stream:
        events = ResponseStream(service, run_id, after=starting_after)
        return StreamingResponse(events.frames(), headers=HEADERS, media_type=MEDIA)
    return JSONResponse(response_of(run_id, said, with_steps="outlast.steps" in include))


@router.post("/responses/{response_id}/cancel", operation_id="cancelResponse")
async def cancelled(response_id: str, request: Request, caller: Writer) -> Json:
    """End a response."""
    service, run_id = service_of(request), run_of(response_id)
    await service.log(run_id, caller)
    await control.cancel(run_id, by=caller.id, run_config={"journal": service.journal})
    return response_of(run_id, said_in(await service.log(run_id, caller)))


@router.delete("/responses/{response_id}", operation_id="deleteResponse")
async def deleted(response_id: str, request: Request, caller: Deleter) -> Json:
    """Delete what a response has come to, with its log."""
    service, run_id = service_of(request), run_of(response_id)
    await service.delete(run_id, caller)
    return {"id": response_id, "object": "response", "deleted": True}


@router.get("/responses/{response_id}/input_items", operation_id="listInputItems")
async def input_items(response_id: str, request: Request, caller: Reader) -> Json:
    """What a response was asked."""
    state = said_in(await service_of(request).log(run_of(response_id), caller)).state
    asked = list(state.started.input) if state.started else []
    found = [{"id": f"in_{place}", "type": "message", **item} for place, item in enumerate(asked)]
    ends = {"first_id": "in_0", "last_id": f"in_{len(found) - 1}", "has_more": False}
    return {"object": "list", "data": found, **ends}
