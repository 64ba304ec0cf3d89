"""The agents that runs can begin with."""

from __future__ import annotations

from fastapi import APIRouter, Request

from outlast.server.callers import AgentReader
from outlast.server.registry import described, slug
from outlast.server.service import service_of
from outlast.server.shown import Json

router = APIRouter(prefix="/api/v1", tags=["agents"])


@router.get("/agents", operation_id="listAgents")
async def agents(request: Request, caller: AgentReader) -> Json:
    """All agents."""
    del caller
    known = service_of(request).agents.slugs()
    return {"data": [described(name, agent) for name, agent in known.items()], "next_cursor": None}


@router.get("/agents/{name}", operation_id="getAgent")
async def agent(name: str, request: Request, caller: AgentReader) -> Json:
    """One agent."""
    del caller
    found = service_of(request).agent(name)
    return described(slug(name), found)
