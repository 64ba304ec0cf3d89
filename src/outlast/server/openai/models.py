"""Agents as models: what fills the menu of a chat page."""

from __future__ import annotations

from fastapi import APIRouter, Request

from outlast.server.callers import AgentReader
from outlast.server.service import Service, service_of
from outlast.server.shown import Json

router = APIRouter(prefix="/v1", tags=["openai"])


@router.get("/models", operation_id="listModels")
async def models(request: Request, caller: AgentReader) -> Json:
    """All agents."""
    del caller
    service = service_of(request)
    return {"object": "list", "data": [_model(service, name) for name in service.agents.slugs()]}


@router.get("/models/{model}", operation_id="getModel")
async def model(model: str, request: Request, caller: AgentReader) -> Json:
    """One agent."""
    del caller
    service = service_of(request)
    service.agent(model)
    return _model(service, model)


def _model(service: Service, name: str) -> Json:
    return {"id": name, "object": "model", "created": int(service.began_at), "owned_by": "outlast"}
