"""The addresses of AG-UI: a run or its continuation as a stream, and what an agent can do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from ag_ui import core as agui
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from outlast.core.evolve import fold
from outlast.run import decisions
from outlast.server.agui.stream import RunEvents, error_frames
from outlast.server.callers import AgentReader, Caller, Writer
from outlast.server.problems import Problem
from outlast.server.service import Order, Service, service_of
from outlast.server.sse import HEADERS, MEDIA
from outlast.views.decisions import decision_places
from outlast.views.waiting import waiting_calls

router = APIRouter(prefix="/ag-ui", tags=["ag-ui"])
_NOT_FOUND = 404


@router.post("/{agent}", operation_id="runAgUi", response_model=None)
async def run(
    agent: str, sent: agui.RunAgentInput, request: Request, caller: Writer
) -> StreamingResponse:
    """Begin a run, go on with one that was interrupted, or read again one that is known."""
    service = service_of(request)
    service.agent(agent)
    frames: AsyncIterator[bytes] | Iterator[bytes]
    try:
        run_id, after = await _resumed(service, sent, caller)
        if not run_id:
            run_id = await _begun(service, agent, sent, caller)
        frames = RunEvents(service, run_id, caller, sent=sent, after=after).frames()
    except _Refused as error:
        frames = error_frames(sent, str(error), "resume")
    return StreamingResponse(frames, headers=HEADERS, media_type=MEDIA)


@router.get("/{agent}/capabilities", operation_id="capabilitiesAgUi")
async def capabilities(agent: str, request: Request, caller: AgentReader) -> Any:
    """What an agent can do, in the words of the protocol."""
    del caller
    found = service_of(request).agent(agent)
    about = {"name": found.name, "description": found.handoff_description or None}
    can = {
        "identity": about,
        "transport": {"streaming": True, "resumable": True},
        "humanInTheLoop": {"supported": True, "approvals": True, "interrupts": True},
    }
    return agui.AgentCapabilities.model_validate(can).model_dump(by_alias=True, exclude_none=True)


async def _begun(service: Service, agent: str, sent: agui.RunAgentInput, caller: Caller) -> str:
    """The run of that id, which begins if there is none."""
    try:
        await service.log(sent.run_id, caller)
    except Problem as problem:
        if problem.status_code != _NOT_FOUND:
            raise
    else:
        return sent.run_id
    known = await service.sessions(sent.thread_id, caller.tenant).get_items(limit=1)
    items = [item for message in _news(sent, is_known=bool(known)) if (item := _item(message))]
    if not items:
        raise Problem(422, "invalid", "There is no message to answer: send one of a user's.")
    order = Order(
        agent=agent,
        input=items,
        run_id=sent.run_id,
        session_id=sent.thread_id,
        context=sent.state,
    )
    return (await service.begin(order, caller))[0]


def _news(sent: agui.RunAgentInput, *, is_known: bool) -> list[Any]:
    """What of the page's messages the session lacks: those behind the last answer."""
    messages: list[Any] = list(sent.messages)
    answers = [place for place, each in enumerate(messages) if each.role in ("assistant", "tool")]
    return messages[answers[-1] + 1 :] if is_known and answers else messages


def _item(message: Any) -> dict[str, Any] | None:
    """A message of a page as an item; None for what no model is told."""
    if message.role not in ("user", "assistant", "developer", "system") or not message.content:
        return None
    role = "developer" if message.role == "system" else message.role
    if isinstance(message.content, str):
        return {"role": role, "content": message.content}
    return {"role": role, "content": [_part(part) for part in message.content]}


def _part(part: Any) -> dict[str, Any]:
    if part.type == "text":
        return {"type": "input_text", "text": part.text}
    source = part.source
    url = (
        f"data:{source.mime_type};base64,{source.value}" if source.type == "data" else source.value
    )
    if part.type == "image":
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    if part.type == "document" and source.type == "url":
        return {"type": "input_file", "file_url": url}
    if part.type == "document":
        return {"type": "input_file", "file_data": url, "filename": "document"}
    raise Problem(422, "invalid", f"Agents here hear text, images and documents, not {part.type}.")


# --- Answers to interrupts. ---------------------------------------------------------------


class _Refused(Exception):
    """Answers that do not fit what was asked."""


async def _resumed(service: Service, sent: agui.RunAgentInput, caller: Caller) -> tuple[str, int]:
    """The run that answers are about and where it goes on, once they are given; nothing without answers."""
    answers = {entry.interrupt_id: entry for entry in sent.resume or ()}
    if not answers:
        return "", -1
    if not caller.may("approvals:decide"):
        raise Problem(403, "scope-missing", "This wants the scope 'approvals:decide'.")
    run_id = await _asked(service, sent.thread_id, set(answers), caller)
    state = fold([each.event for each in await service.log(run_id, caller)])
    if missing := {call.key for call in waiting_calls(state)} - answers.keys():
        raise _Refused(
            f"Answer all interrupts; there is no answer to {', '.join(sorted(missing))}."
        )
    for call in waiting_calls(state):
        await _decide(service, run_id, answers[call.key], caller)
    log = await service.log(run_id, caller)
    if service.performs:
        await service.worker.offer(run_id)
    places = decision_places([each.event for each in log])
    decided = [place for key in answers if (place := places.get(key)) is not None]
    return run_id, log[min(decided, default=-1)].seq


async def _asked(service: Service, thread_id: str, answers: set[str], caller: Caller) -> str:
    """The newest run of a thread that has asked for these."""
    runs = await service.journal.runs(
        session_id=thread_id, tenant=caller.tenant, roots_only=True, limit=20
    )
    for run in runs:
        log = await service.log(run.run_id, caller)
        if answers <= decision_places([each.event for each in log]).keys():
            return run.run_id
    raise _Refused("No run of this thread has asked for what was answered.")


async def _decide(service: Service, run_id: str, entry: agui.ResumeEntry, caller: Caller) -> None:
    if entry.status == "cancelled":  # It stays open.
        return
    said: dict[str, Any] = {"by": caller.id, "run_config": {"journal": service.journal}}
    payload: Any = entry.payload
    body: Any = payload if hasattr(payload, "get") else {"approved": payload}
    key = entry.interrupt_id
    if "answer" in body:
        await decisions.answer(run_id, key, str(body["answer"]), **said)
    elif body.get("approved") is True:
        await decisions.approve(run_id, key, arguments=body.get("arguments"), **said)
    else:
        await decisions.reject(run_id, key, message=body.get("message"), **said)
