"""An app behind a real server on a free port, and a client of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn

from outlast import Agent, function_tool
from outlast.server import App

PATIENCE_S = 30


@function_tool(needs_approval=True)
def refund(order: str) -> str:
    """Refund an order.

    Args:
        order: The order's number, for example A-1007.
    """
    return f"order {order} is refunded"


def desk_of(model: Any = "offline", **fields: Any) -> Agent:
    """An agent whose only tool needs a person."""
    return Agent(name="Desk", tools=[refund], model=model, **fields)


@asynccontextmanager
async def served(app: App) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of ``app``, with its token."""
    async with server_of(app) as url:
        headers = {"Authorization": f"Bearer {app.token}"} if app.token else {}
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
            yield client


@asynccontextmanager
async def server_of(app: Any) -> AsyncIterator[str]:
    """The address of a server for an ASGI app."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="on")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listener]))
        while not server.started:
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, PATIENCE_S)


@pytest.fixture
def desk() -> Callable[..., Agent]:
    return desk_of


async def events_of(
    client: httpx2.AsyncClient, run_id: str, *, last: str = "", cut: int = 0, **query: Any
) -> list[tuple[str, str, Any]]:
    """What a stream says: (id, event, data) of each, up to its end or until ``cut`` of them are read."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
    found: list[tuple[str, str, Any]] = []
    async with client.stream(
        "GET", f"/api/v1/runs/{run_id}/events", headers=headers, params=query
    ) as answer:
        assert answer.status_code == 200, await answer.aread()
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "data" in fields:
                found.append((fields.get("id", ""), fields.get("event", ""), fields["data"]))
                if len(found) == cut:
                    return found
            fields = {}
    return found
