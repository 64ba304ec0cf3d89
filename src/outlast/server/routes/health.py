"""Whether this process lives, and whether it can be given work. Neither asks a model."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from outlast.core.errors import AgentsException
from outlast.server.callers import Administrator
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
    waiting = await service.journal.runs(status="waiting", roots_only=True, limit=1000)
    running = await service.journal.runs(status="running", roots_only=True, limit=1000)
    return {
        "status": "ok" if is_ready else "degraded",
        "ready": is_ready,
        "checks": checks,
        "runs": {
            "in_flight": service.worker.in_flight,
            "due": sum(not run.owner_alive for run in running),
            "waiting": len(waiting),
        },
        "version": __version__,
        "uptime_s": round(time.time() - service.began_at),
    }


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
