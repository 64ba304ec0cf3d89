"""What runs have cost, and what they may still spend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from outlast.core.errors import RunNotFound
from outlast.definitions.budget import Per
from outlast.definitions.clock import utc, wall_s
from outlast.journal.journal import RunSummary
from outlast.run import control
from outlast.run.costs import costs_of
from outlast.server.callers import Budgeter, UsageReader
from outlast.server.routes.runs import Body
from outlast.server.service import service_of
from outlast.server.shown import Json
from outlast.views.costs import Spent

router = APIRouter(prefix="/api/v1", tags=["usage"])
Group = Literal["agent", "model", "tool", "user", "tenant", "day"]
_DAY_S = 86_400.0
_RUNS_READ = 5_000
_OF_RUN: dict[str, Callable[[RunSummary], str | None]] = {
    "user": lambda run: run.metadata.user,
    "tenant": lambda run: run.metadata.tenant,
    "day": lambda run: utc(run.created_at).date().isoformat(),
}


class TopUp(Body):
    """What a run may spend besides."""

    tokens: int = Field(0, ge=0)
    requests: int = Field(0, ge=0)
    tool_calls: int = Field(0, ge=0)
    cost_usd: float = Field(0.0, ge=0)
    seconds: float = Field(0.0, ge=0)
    per: Per = "run"
    agent: str | None = Field(None, description="Only the budgets of this agent.")
    why: str | None = None


@router.get("/usage", operation_id="getUsageOfRuns")
async def usage(
    request: Request,
    caller: UsageReader,
    group_by: Group = "agent",
    since: Annotated[
        float | None, Query(description="Seconds since 1970; a day ago if unset.")
    ] = None,
    until: float | None = None,
) -> Json:
    """What the runs that began in a time have used and cost, with those inside them."""
    service = service_of(request)
    since = wall_s() - _DAY_S if since is None else since
    runs = await service.journal.runs(
        tenant=caller.tenant,
        began_since=since,
        began_before=until,
        roots_only=True,
        limit=_RUNS_READ,
    )
    config = {"journal": service.journal, "prices": service.config.prices}
    groups: dict[str, Spent] = {}
    for run in runs:
        try:
            report = await costs_of(run.run_id, run_config=config)
        except RunNotFound:  # Deleted since.
            continue
        whole = _OF_RUN.get(group_by)
        shares: Any = (
            {whole(run) or "": report.total} if whole else getattr(report, f"by_{group_by}")
        )
        for name, spent in shares.items():
            groups.setdefault(name, Spent()).add(spent)
    rows = [{group_by: name, **spent.to_json()} for name, spent in sorted(groups.items())]
    return {"data": rows, "runs": len(runs), "is_whole": len(runs) < _RUNS_READ}


@router.post("/runs/{run_id}/top-up", operation_id="topUpRun")
async def topped_up(run_id: str, body: TopUp, request: Request, caller: Budgeter) -> Json:
    """Let a run spend more. One that has failed for its budget goes on."""
    service = service_of(request)
    await service.log(run_id, caller)
    config = {"journal": service.journal}
    await control.top_up(run_id, by=caller.id, run_config=config, **body.model_dump())
    if service.performs:
        await service.worker.offer(run_id, goes_on=True)
    return await service.state(run_id, caller)
