"""Schedules: make them, look at them, let them rest, and see what came of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Request

from outlast.server.callers import Caller, ScheduleReader, ScheduleWriter
from outlast.server.problems import Problem
from outlast.server.registry import slug
from outlast.server.routes.runs import PageSize
from outlast.server.schedules.schedule import Schedule
from outlast.server.schedules.scheduler import Scheduler
from outlast.server.schedules.store import Entry, Firing
from outlast.server.service import service_of
from outlast.server.shown import Json

router = APIRouter(prefix="/api/v1", tags=["schedules"])


@router.get("/schedules", operation_id="listSchedules")
async def listed(request: Request, caller: ScheduleReader) -> Json:
    """All schedules, by name."""
    scheduler = _scheduler(request)
    own = [each for each in scheduler.schedules.list() if caller.tenant in (None, each.tenant)]
    return {"data": [_shown(scheduler, each) for each in own], "next_cursor": None}


@router.post("/schedules", status_code=201, operation_id="createSchedule")
async def created(body: Schedule, request: Request, caller: ScheduleWriter) -> Json:
    """Make a schedule. It is on disk when this answers."""
    if _scheduler(request).schedules.find(caller.tenant or "", body.name):
        raise Problem(
            409, "schedule-exists", f"There is a schedule {body.name!r}. PUT replaces it."
        )
    return _put(body, request, caller)


@router.put("/schedules/{name}", operation_id="replaceSchedule")
async def replaced(name: str, body: Schedule, request: Request, caller: ScheduleWriter) -> Json:
    """Make a schedule, or put another one in its place. What was due before is not made up for."""
    _check_editable(_scheduler(request).schedules.find(caller.tenant or "", name))
    return _put(replace(body, name=name), request, caller)


@router.get("/schedules/{name}", operation_id="getSchedule")
async def shown(name: str, request: Request, caller: ScheduleReader) -> Json:
    """A schedule, and when it is due next."""
    scheduler = _scheduler(request)
    return _shown(scheduler, _found(scheduler, name, caller))


@router.delete("/schedules/{name}", status_code=204, operation_id="deleteSchedule")
async def deleted(name: str, request: Request, caller: ScheduleWriter) -> None:
    """Forget a schedule. Its runs stay."""
    scheduler = _scheduler(request)
    entry = _found(scheduler, name, caller)
    _check_editable(entry)
    scheduler.schedules.delete(entry.tenant, name)


@router.post("/schedules/{name}/pause", operation_id="pauseSchedule")
async def paused(name: str, request: Request, caller: ScheduleWriter) -> Json:
    """Let nothing of it begin."""
    return _paused(name, request, caller, is_paused=True)


@router.post("/schedules/{name}/unpause", operation_id="unpauseSchedule")
async def unpaused(name: str, request: Request, caller: ScheduleWriter) -> Json:
    """Let it begin runs again, from now on."""
    return _paused(name, request, caller, is_paused=False)


@router.post("/schedules/{name}/trigger", status_code=202, operation_id="triggerSchedule")
async def triggered(name: str, request: Request, caller: ScheduleWriter) -> Json:
    """Begin a run of it now."""
    scheduler = _scheduler(request)
    return _row(await scheduler.trigger(_found(scheduler, name, caller)), "queued")


@router.get("/schedules/{name}/firings", operation_id="listFirings")
async def firings(
    name: str,
    request: Request,
    caller: ScheduleReader,
    cursor: str | None = None,
    limit: PageSize = 50,
) -> Json:
    """What came of its newest instants, the newest first."""
    scheduler = _scheduler(request)
    entry = _found(scheduler, name, caller)
    found = scheduler.schedules.firings(entry, limit, before=cursor or "~")
    rows = [_row(each, await _status(request, each.run_id)) for each in found]
    more = found[-1].due_at if len(found) == limit else None
    return {"data": rows, "next_at": scheduler.next_at(entry), "next_cursor": more}


def _scheduler(request: Request) -> Scheduler:
    return request.app.state.scheduler


def _put(body: Schedule, request: Request, caller: Caller) -> Json:
    scheduler = _scheduler(request)
    agent = service_of(request).agent(body.agent)
    if not caller.may_run(slug(agent.name)):
        raise Problem(
            403, "scope-missing", f"This wants the scope 'agents:{slug(agent.name)}:run'."
        )
    scheduler.schedules.put(caller.tenant or "", body, caller.id, scheduler.clock())
    return _shown(scheduler, _found(scheduler, body.name, caller))


def _paused(name: str, request: Request, caller: Caller, *, is_paused: bool) -> Json:
    scheduler = _scheduler(request)
    entry = _found(scheduler, name, caller)
    scheduler.schedules.pause(entry, scheduler.clock(), paused=is_paused)
    return _shown(scheduler, _found(scheduler, name, caller))


def _found(scheduler: Scheduler, name: str, caller: Caller) -> Entry:
    entry = scheduler.schedules.find(caller.tenant or "", name)
    if entry is None:
        raise Problem(404, "schedule-not-found", f"There is no schedule {name!r:.80}.")
    return entry


def _check_editable(entry: Entry | None) -> None:
    if entry is not None and entry.is_code:
        raise Problem(
            409,
            "schedule-exists",
            f"The program has the schedule {entry.schedule.name!r} in its code.",
        )


def _shown(scheduler: Scheduler, entry: Entry) -> Json:
    facts = {**asdict(entry.schedule), "paused": entry.paused}
    where = "code" if entry.is_code else "api"
    return {**facts, "declared_in": where, "next_at": scheduler.next_at(entry)}


def _row(firing: Firing, status: str) -> Json:
    return {
        "due_at": firing.due_at,
        "run_id": firing.run_id,
        "status": status if firing.run_id else "skipped",
        "why": firing.why or None,
    }


async def _status(request: Request, run_id: str | None) -> Any:
    if run_id is None:
        return "skipped"
    found = await service_of(request).journal.runs(run_id_starts=run_id)
    return next((run.status for run in found if run.run_id == run_id), "deleted")
