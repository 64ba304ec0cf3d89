"""What a run did and cost, and its end: views of its log, and deleting that."""

from __future__ import annotations

import dataclasses

import msgspec
from fastapi import APIRouter, Request

from outlast.core.surrogates import without_surrogates
from outlast.run.costs import costs_of
from outlast.server.callers import Deleter, Reader
from outlast.server.service import service_of
from outlast.server.shown import Json, moment
from outlast.views.steps import timeline
from outlast.views.timeline import Step, Takeover

router = APIRouter(prefix="/api/v1", tags=["runs"])


@router.get("/runs/{run_id}/steps", operation_id="listSteps")
async def steps(run_id: str, request: Request, caller: Reader) -> Json:
    """What a run did, step by step, and where another process went on."""
    rows = timeline(await service_of(request).log(run_id, caller)).rows
    return {"data": [_row(row) for row in rows], "next_cursor": None}


def _row(row: Step | Takeover) -> Json:
    fields: Json = msgspec.to_builtins(dataclasses.asdict(row))
    times = {
        name: moment(fields[name]) for name in ("at", "started_at", "ended_at") if name in fields
    }
    kind = {"kind": "takeover"} if isinstance(row, Takeover) else {}
    return without_surrogates({**fields, **kind, **times})


@router.get("/runs/{run_id}/usage", operation_id="getUsage")
async def usage(run_id: str, request: Request, caller: Reader) -> Json:
    """What a run, with all runs inside it, has used and cost."""
    service = service_of(request)
    await service.log(run_id, caller)
    config = {"journal": service.journal, "prices": service.config.prices}
    return (await costs_of(run_id, run_config=config)).to_json()


@router.delete("/runs/{run_id}", operation_id="deleteRun", status_code=204)
async def deleted(run_id: str, request: Request, caller: Deleter) -> None:
    """Delete a run that has ended, and all runs inside it."""
    await service_of(request).delete(run_id, caller)
