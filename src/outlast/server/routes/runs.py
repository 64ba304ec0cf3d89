"""Runs: begin, list, read, wait for, and tell them something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from outlast.core.commands import Command, Decide
from outlast.core.evolve import fold
from outlast.definitions.clock import wall_s
from outlast.run import control
from outlast.run.commands import command_run
from outlast.server.callers import Caller, Reader, Writer
from outlast.server.problems import Problem
from outlast.server.service import Order, Service, service_of
from outlast.server.shown import Json, run_row
from outlast.views.status import ENDED, STATUSES

router = APIRouter(prefix="/api/v1", tags=["runs"])
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
Seconds = Annotated[float, Query(ge=0, le=60, description="Answer when it ends or rests, or then.")]
PageSize = Annotated[int, Query(ge=1, le=200)]


class Body(BaseModel):
    """A body without fields that nobody knows."""

    model_config = ConfigDict(extra="forbid")


class Start(Body):
    """What a run is to do."""

    agent: str = Field(
        "", description="The agent's name; may be left out where there is one agent."
    )
    input: str | list[dict[str, Any]] = Field(examples=["Refund order A-1007"], max_length=2**20)
    run_id: Id | None = Field(None, description="An id of your own: the same id is the same run.")
    session_id: Id | None = Field(None, description="The conversation that it is a part of.")
    context: dict[str, Any] | None = Field(
        None, description="What the program makes the context of."
    )
    max_turns: int | None = Field(10, ge=1)
    priority: int = Field(0, ge=0, le=9, description="Of runs that wait, the highest is first.")
    delay_s: float | None = Field(None, ge=0, description="Begin it so many seconds from now.")
    ttl_s: float | None = Field(None, gt=0, description="Cancel it if it has not begun by then.")
    user: str | None = Field(None, max_length=512)
    tags: list[Annotated[str, Field(max_length=512)]] = Field([], max_length=16)
    metadata: dict[
        Annotated[str, Field(max_length=64, pattern="^[^=]+$")],
        Annotated[str, Field(max_length=512)],
    ] = Field({}, max_length=16, description="Each pair is a tag too: NAME=VALUE.")


class Heard(Body):
    """What a run is to hear at its next model call."""

    text: str | None = None
    items: list[dict[str, Any]] | None = None


class Ending(Body):
    """How a run is to end."""

    mode: Literal["immediate", "after_turn"] = "immediate"
    why: str | None = None


class Pause(Body):
    """Why a run is to pause."""

    why: str | None = None


class Resume(Body):
    """How a run goes on."""

    max_turns: int | None = Field(None, ge=1, description="A new limit for the whole run.")
    why: str | None = None


class Wishes(NamedTuple):
    """What the headers of a request say about the run that it begins."""

    key: str | None
    wait_s: float


async def _wishes(  # Not async, it would be called in a thread.
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    prefer: Annotated[str, Header()] = "",
) -> Wishes:
    return Wishes(idempotency_key, _preferred_wait(prefer))


Wished = Annotated[Wishes, Depends(_wishes)]


@router.post("/runs", status_code=202, operation_id="startRun")
async def start(
    body: Start, request: Request, response: Response, caller: Writer, wished: Wished
) -> Json:
    """Begin a run. It is on disk when this answers; the same id or key finds the same run."""
    order = order_of(body, wished.key)
    return await begun(service_of(request), order, caller, response, wait_s=wished.wait_s)


def order_of(body: Start, key: str | None) -> Order:
    """What a body asks for, with its waiting times as times."""
    fields, now = body.model_dump(), wall_s()
    delay_s, ttl_s = fields.pop("delay_s"), fields.pop("ttl_s")
    begins = now + delay_s if delay_s else None
    late = (begins or now) + ttl_s if ttl_s else None
    return Order(**fields, not_before=begins, begins_before=late, key=key)


@router.post("/agents/{name}/runs", status_code=202, operation_id="startRunOfAgent")
async def start_of(
    name: str, body: Start, request: Request, response: Response, caller: Writer, wished: Wished
) -> Json:
    """Begin a run of an agent."""
    body.agent = name
    return await start(body, request, response, caller, wished)


async def begun(
    service: Service, order: Order, caller: Caller, response: Response, *, wait_s: float
) -> Json:
    """A run that has begun, as the answer to who has asked for it."""
    run_id, is_new = await service.begin(order, caller)
    if wait_s:
        await service.wait(run_id, wait_s)
    state = await service.state(run_id, caller)
    if not is_new:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = state["links"]["self"]
    is_over = state["status"] in ENDED
    response.status_code = 202 if is_new and not is_over else 200
    return state


def _preferred_wait(prefer: str) -> float:
    for wish in prefer.split(","):
        name, _, value = wish.strip().partition("=")
        if name == "wait" and value.isdecimal():
            return min(float(value), 60.0)
    return 0.0


@router.get("/runs", operation_id="listRuns")
async def listed(  # noqa: PLR0913  # each is a filter of its own
    request: Request,
    caller: Reader,
    status: str | None = None,
    agent: str | None = None,
    session: str | None = None,
    user: str | None = None,
    tag: str | None = None,
    since: float | None = None,
    until: float | None = None,
    starts: Annotated[str | None, Query(description="How the id begins.")] = None,
    roots: Annotated[bool, Query(description="No run inside another one.")] = True,
    cursor: str | None = None,
    limit: PageSize = 50,
) -> Json:
    """Runs, the newest first, a page at a time."""
    journal = service_of(request).journal
    if status is not None and status not in STATUSES:
        raise Problem(422, "invalid", f"A status is one of {', '.join(STATUSES)}.")
    found = await journal.runs(
        status="running" if status == "interrupted" else status,
        limit=limit,
        before=cursor,
        agent=agent,
        session_id=session,
        user=user,
        tag=tag,
        tenant=caller.tenant,
        began_since=since,
        began_before=until,
        run_id_starts=starts,
        roots_only=roots,
    )
    rows = [run_row(run) for run in found]
    if status in ("running", "interrupted"):
        rows = [row for row in rows if row["status"] == status]
    more = found[-1].run_id if len(found) == limit else None
    return {"data": rows, "next_cursor": more}


@router.get("/runs/{run_id}", operation_id="getRun")
async def shown_run(run_id: str, request: Request, caller: Reader, wait: Seconds = 0) -> Json:
    """A run as it is; with `wait`, once it has ended or waits for somebody."""
    service = service_of(request)
    if wait:
        await service.log(run_id, caller)
        await service.wait(run_id, wait)
    return await service.state(run_id, caller)


@router.post("/runs/{run_id}/input", operation_id="sendToRun")
async def heard(run_id: str, body: Heard, request: Request, caller: Writer) -> Json:
    """Let a run hear something more, at its next model call."""
    if (body.text is None) == (body.items is None):
        raise Problem(422, "invalid", "Send a text or items, one of them.")
    said: Any = body.items if body.text is None else body.text
    return await _told(request, run_id, caller, control.send, input=said)


@router.post("/runs/{run_id}/cancel", operation_id="cancelRun")
async def cancelled(
    run_id: str, request: Request, caller: Writer, body: Ending | None = None
) -> Json:
    """End a run, whoever performs it."""
    body = body or Ending()
    return await _told(request, run_id, caller, control.cancel, mode=body.mode, why=body.why)


@router.post("/runs/{run_id}/pause", operation_id="pauseRun")
async def paused(run_id: str, request: Request, caller: Writer, body: Pause | None = None) -> Json:
    """Let what a run performs end, and begin nothing more."""
    return await _told(request, run_id, caller, control.pause, why=body and body.why)


@router.post("/runs/{run_id}/resume", operation_id="resumeRun")
async def resumed(
    run_id: str, request: Request, caller: Writer, body: Resume | None = None
) -> Json:
    """Let a run go on that was paused, parked or interrupted, or has failed of what can pass."""
    service, body = service_of(request), body or Resume.model_validate({})
    state = await service.state(run_id, caller)
    if body.max_turns is not None:
        await _told(
            request, run_id, caller, control.raise_limit, max_turns=body.max_turns, why=body.why
        )
    if state["status"] not in ENDED:
        return await _told(request, run_id, caller, control.unpause, why=body.why, goes_on=True)
    await service.worker.offer(run_id, goes_on=True)
    return await service.state(run_id, caller)


@router.post("/runs/{run_id}/commands", operation_id="postCommand")
async def commanded(run_id: str, request: Request, body: dict[str, Any], caller: Writer) -> Json:
    """Give a command to a run, as whoever reads logs knows them. Posting it again changes nothing."""
    service = service_of(request)
    log = await service.log(run_id, caller)
    try:
        command = msgspec.convert({**body, "by": caller.id}, type=Command)
    except msgspec.ValidationError as error:
        raise Problem(422, "invalid", f"That is no command: {error}.") from error
    if isinstance(command, Decide) and not caller.may("approvals:decide"):
        raise Problem(403, "scope-missing", "This wants the scope 'approvals:decide'.")
    if command.id not in fold([stored.event for stored in log]).commands:
        await command_run(service.journal, run_id, command)
    if service.performs:
        await service.worker.offer(run_id)
    return await service.state(run_id, caller)


async def _told(
    request: Request, run_id: str, caller: Caller, tell: Any, *, goes_on: bool = False, **what: Any
) -> Json:
    """Tell a run something, and say what it is then."""
    service = service_of(request)
    await service.log(run_id, caller)
    config: Mapping[str, Any] = {"journal": service.journal}
    await tell(run_id, by=caller.id, run_config=config, **what)
    if service.performs:
        await service.worker.offer(run_id, goes_on=goes_on)
    return await service.state(run_id, caller)
