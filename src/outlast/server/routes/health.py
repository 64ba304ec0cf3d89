"""Whether this process lives, and whether it can be given work. Neither asks a model."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from outlast.core.errors import AgentsException
from outlast.definitions.clock import wall_s
from outlast.server.callers import Administrator
from outlast.server.metrics import Metrics
from outlast.server.problems import Problem
from outlast.server.service import Service, service_of
from outlast.server.shown import Json
from outlast.version import __version__

router = APIRouter(tags=["health"])
PROBE_S = 2.0
FREE_BYTES = 100 * 2**20


@router.get("/livez", operation_id="livez")
async def livez() -> Json:
    """200 while the process answers at all."""
    return {"status": "ok"}


@router.get("/readyz", operation_id="readyz")
async def readyz(request: Request, response: Response) -> Json:
    """200 if work may be sent here, else 503 and what is wrong."""
    checks = await checked(service_of(request))
    is_ready = all(said == "ok" for said in checks.values())
    response.status_code = 200 if is_ready else 503
    return {"ready": is_ready, "checks": checks}


@router.get("/health", operation_id="health")
async def health(request: Request, caller: Administrator) -> Json:
    """What the process knows of itself."""
    del caller
    service = service_of(request)
    checks = await checked(service)
    is_ready = all(said == "ok" for said in checks.values())
    return {
        "status": "ok" if is_ready else "degraded",
        "ready": is_ready,
        "checks": checks,
        "runs": await _counts(service),
        "version": __version__,
        "uptime_s": round(wall_s() - service.began_at),
    }


@router.get("/metrics", operation_id="metrics", response_model=None)
async def metrics(request: Request, caller: Administrator) -> Response:
    """What the process has counted, for Prometheus, which brings a key as a bearer token."""
    del caller
    counted: Metrics = request.app.state.metrics
    if not counted.is_there:
        raise Problem(
            404,
            "not-found",
            "This wants prometheus-client: pip install '.[server]' in a clone of Outlast.",
        )
    text = counted.text(**await _counts(service_of(request)))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _counts(service: Service) -> dict[str, int]:
    """How many runs do what; of the newest thousand of each."""
    waiting = await service.journal.runs(status="waiting", roots_only=True, limit=1000)
    running = await service.journal.runs(status="running", roots_only=True, limit=1000)
    due = sum(not run.owner_alive for run in running)
    return {"in_flight": service.worker.in_flight, "due": due, "waiting": len(waiting)}


async def checked(service: Service) -> dict[str, str]:
    """What is well and what is not, in a word each."""
    return {
        "journal": await _journal(service),
        "disk": await asyncio.to_thread(_disk, service),
        "server": "draining" if service.leaving.is_set() else "ok",
    }


async def _journal(service: Service) -> str:
    try:
        async with asyncio.timeout(PROBE_S):
            await service.journal.runs(limit=1)
    except TimeoutError:
        return f"no answer in {PROBE_S:.0f} s"
    except AgentsException as error:
        return type(error).__name__
    return "ok"


def _disk(service: Service) -> str:
    path: Any = getattr(service.journal, "path", None)
    if not isinstance(path, Path):
        return "ok"
    free = shutil.disk_usage(path.parent).free
    return "ok" if free >= FREE_BYTES else f"{free // 2**20} MB are free"
