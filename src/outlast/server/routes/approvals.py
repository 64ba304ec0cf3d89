"""Calls that wait for a person: the inbox, and decisions. The first decision holds."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from outlast.core.errors import AlreadyDecided
from outlast.core.evolve import fold
from outlast.run import decisions
from outlast.server.callers import ApprovalReader, Caller, Decider
from outlast.server.problems import Problem
from outlast.server.routes.runs import Body, PageSize
from outlast.server.service import Service, service_of
from outlast.server.shown import Json, approval, moment
from outlast.views.decisions import decision_records
from outlast.views.waiting import waiting_calls

router = APIRouter(prefix="/api/v1", tags=["approvals"])


class Decision(Body):
    """What somebody says about a call."""

    decision: Literal["approve", "reject", "answer"]
    why: str | None = Field(None, description="For whoever reads the log.")
    message: str | None = Field(None, description="What the model is told of a rejection.")
    arguments: dict[str, Any] | None = Field(
        None, description="What the call is made with instead."
    )
    answer: str | None = Field(None, description="The answer to a tool's question.")
    fingerprint: str | None = Field(None, description="Of the call that you have seen.")
    always: bool = Field(False, description="For all later calls of the tool in this run.")


@router.get("/approvals", operation_id="listApprovals")
async def inbox(
    request: Request, caller: ApprovalReader, cursor: str | None = None, limit: PageSize = 50
) -> Json:
    """The calls of all runs that wait for a person; of as many runs as the limit says."""
    service = service_of(request)
    runs = await service.journal.runs(
        status="waiting", roots_only=True, limit=limit, before=cursor, tenant=caller.tenant
    )
    found = [call for run in runs for call in await _calls(service, run.run_id, caller)]
    return {"data": found, "next_cursor": runs[-1].run_id if len(runs) == limit else None}


@router.get("/runs/{run_id}/approvals", operation_id="listApprovalsOfRun")
async def of_run(run_id: str, request: Request, caller: ApprovalReader) -> Json:
    """The calls of a run that wait for a person, and what was decided about others."""
    service = service_of(request)
    events = [each.event for each in await service.log(run_id, caller)]
    said = [{**each._asdict(), "at": moment(each.at)} for each in decision_records(events)]
    return {"data": await _calls(service, run_id, caller), "decided": said}


async def _calls(service: Service, run_id: str, caller: Caller) -> list[Json]:
    log = await service.log(run_id, caller)
    state = fold([each.event for each in log])
    return [{"run_id": run_id, **approval(call, state, log)} for call in waiting_calls(state)]


@router.post("/runs/{run_id}/approvals/{key:path}", operation_id="decide")
async def decide(run_id: str, key: str, body: Decision, request: Request, caller: Decider) -> Json:
    """Decide about a call, and let the run go on."""
    return await decided(service_of(request), run_id, key, body, caller)


async def decided(service: Service, run_id: str, key: str, body: Decision, caller: Caller) -> Json:
    """A run about a call of which somebody has decided, and which goes on."""
    if body.fingerprint is not None:
        await _require_same(service, run_id, key, body.fingerprint, caller)
    await _decided(service, run_id, key, body, caller)
    if service.performs:
        await service.worker.offer(run_id)
    return await service.state(run_id, caller)


async def _require_same(
    service: Service, run_id: str, key: str, fingerprint: str, caller: Caller
) -> None:
    waiting = {call["key"]: call["fingerprint"] for call in await _calls(service, run_id, caller)}
    if key in waiting and waiting[key] != fingerprint:
        raise Problem(
            409, "approval-changed", f"Call {key!r:.150} is another one now. Look at it again."
        )


async def _decided(service: Service, run_id: str, key: str, body: Decision, caller: Caller) -> None:
    await service.log(run_id, caller)
    said: dict[str, Any] = {
        "by": caller.id,
        "why": body.why,
        "run_config": {"journal": service.journal},
    }
    try:
        if body.decision == "answer":
            await decisions.answer(run_id, key, body.answer or "", **said)
        elif body.decision == "approve":
            arguments = body.arguments
            await decisions.approve(run_id, key, always=body.always, arguments=arguments, **said)
        else:
            await decisions.reject(run_id, key, always=body.always, message=body.message, **said)
    except AlreadyDecided as error:
        raise Problem(
            409,
            "already-decided",
            str(error),
            run_id=run_id,
            approved=error.approved,
            by=error.by,
            at=moment(error.at),
        ) from error
