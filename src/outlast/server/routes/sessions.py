"""Conversations that span runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from outlast.server.callers import Caller, SessionReader, SessionWriter, Writer
from outlast.server.problems import Problem
from outlast.server.routes.runs import Id, PageSize, Start, Wished, start
from outlast.server.service import Service, service_of
from outlast.server.shown import Json, moment, run_row

router = APIRouter(prefix="/api/v1", tags=["sessions"])


@router.get("/sessions", operation_id="listSessions")
async def sessions(
    request: Request, caller: SessionReader, cursor: str | None = None, limit: PageSize = 50
) -> Json:
    """Conversations, by their newest runs: of as many runs as the limit says."""
    runs = await service_of(request).journal.runs(
        limit=limit, before=cursor, roots_only=True, tenant=caller.tenant
    )
    found: dict[str, Json] = {}
    for run in runs:
        if (session_id := run.metadata.session_id) is not None:
            row = {
                "id": session_id,
                "last_run_id": run.run_id,
                "updated_at": moment(run.updated_at),
            }
            found.setdefault(session_id, row)
    return {
        "data": list(found.values()),
        "next_cursor": runs[-1].run_id if len(runs) == limit else None,
    }


@router.get("/sessions/{session_id}", operation_id="getSession")
async def session(session_id: Id, request: Request, caller: SessionReader) -> Json:
    """A conversation: its runs, the newest first."""
    runs = await _own_runs(service_of(request), session_id, caller)
    return {"id": session_id, "runs": [run_row(run) for run in runs]}


@router.get("/sessions/{session_id}/items", operation_id="listSessionItems")
async def items(
    session_id: Id, request: Request, caller: SessionReader, limit: PageSize = 50
) -> Json:
    """The newest items of a conversation, the oldest of them first."""
    service = service_of(request)
    newest, *_ = await _own_runs(service, session_id, caller)
    kept = service.sessions(session_id, newest.metadata.tenant)
    found: list[Any] = await kept.get_items(limit)
    return {"data": found, "next_cursor": None}


@router.delete("/sessions/{session_id}", operation_id="forgetSession", status_code=204)
async def forgotten(session_id: Id, request: Request, caller: SessionWriter) -> None:
    """Forget what was said. The logs of its runs stay."""
    service = service_of(request)
    newest, *_ = await _own_runs(service, session_id, caller)
    await service.sessions(session_id, newest.metadata.tenant).clear_session()


@router.post("/sessions/{session_id}/runs", operation_id="startRunInSession", status_code=202)
async def said(
    session_id: Id,
    body: Start,
    request: Request,
    response: Response,
    caller: Writer,
    wished: Wished,
) -> Json:
    """Go on with a conversation. One run of it is performed at a time, in the order in which they came."""
    body.session_id = session_id
    return await start(body, request, response, caller, wished)


async def _own_runs(service: Service, session_id: str, caller: Caller) -> list[Any]:
    runs = await service.journal.runs(
        session_id=session_id, tenant=caller.tenant, roots_only=True, limit=200
    )
    if not runs:
        raise Problem(404, "session-not-found", f"There is no session {session_id!r:.150}.")
    return list(runs)
