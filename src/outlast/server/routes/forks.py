"""Runs that go another way than one that was, and what two runs differ in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from outlast.replay import diff, fork
from outlast.server.callers import Forker, Reader
from outlast.server.problems import Problem
from outlast.server.registry import slug
from outlast.server.routes.runs import Body, Id
from outlast.server.service import service_of
from outlast.server.shown import Json

router = APIRouter(prefix="/api/v1", tags=["runs"])


class Fork(Body):
    """From where a run goes another way, and what is different there."""

    at: str = Field(description="A step's id: m2, or t1.CALL.", max_length=512)
    run_id: Id | None = Field(None, description="The id of the new run.")
    result: str | None = Field(None, description="What the call at that step came to.")
    reply: str | None = Field(None, description="What the model at that step answered.")
    message: str | None = Field(None, description="What the user says besides.")
    input: str | list[dict[str, Any]] | None = Field(
        None, description="What it is asked instead, where the step is in the first turn."
    )
    start: bool = Field(True, description="Whether it goes on at once.")


@router.post("/runs/{run_id}/fork", status_code=201, operation_id="forkRun")
async def forked(
    run_id: str, body: Fork, request: Request, response: Response, caller: Forker
) -> Json:
    """Begin a run that is another one up to a step. What is before it costs nothing again."""
    service = service_of(request)
    agent = (await service.state(run_id, caller))["agent"]
    if not caller.may_run(slug(agent)):
        raise Problem(403, "scope-missing", f"This wants the scope 'agents:{slug(agent)}:run'.")
    changes = body.model_dump(exclude={"at", "run_id", "start"})
    new_id = await fork(run_id, body.at, new_id=body.run_id, journal=service.journal, **changes)
    if body.start and service.performs:
        await service.worker.offer(new_id)
    state = await service.state(new_id, caller)
    response.headers["Location"] = state["links"]["self"]
    return state


@router.get("/runs/{run_id}/diff", operation_id="diffRuns")
async def differences(
    run_id: str,
    request: Request,
    caller: Reader,
    other: Annotated[str, Query(alias="with", description="The other run.")],
) -> Json:
    """In what two runs differ: status, output, steps, tokens, cost, and how long they took."""
    service = service_of(request)
    for each in (run_id, other):
        await service.log(each, caller)
    found = await diff(run_id, other, journal=service.journal)
    return {**asdict(found), "is_same": found.is_same}
