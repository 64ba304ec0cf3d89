"""Programs that guides on serving agents show: each as it is written there, over a real socket.

Their own lines stay as they are; what an `App` does in place of them is in docs/howto/serve-a-web-app.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.security import APIKeyHeader
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from pydantic import BaseModel
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address
from tests.server.conftest import PATIENCE_S, server_of
from websockets.asyncio.client import connect

from outlast import Agent, Runner, SQLiteSession


class ChatRequest(BaseModel):
    message: str
    session_id: str | None = None


class ChatResponse(BaseModel):
    response: str
    session_id: str


def agent_of(name: str = "Assistant") -> Agent:
    return Agent(name=name, instructions="You are helpful.", model="offline")


def chat_app() -> FastAPI:  # noqa: C901  # as guides write it
    app, agent = FastAPI(), agent_of()

    @app.post("/chat")
    async def chat(request: ChatRequest) -> ChatResponse:
        session_id = request.session_id or str(uuid.uuid4())
        session = SQLiteSession(session_id, ":memory:")
        result = await Runner.run(agent, request.message, session=session)
        return ChatResponse(response=str(result.final_output), session_id=session_id)

    @app.post("/chat/stream")
    async def chat_stream(request: ChatRequest) -> StreamingResponse:
        async def generate() -> AsyncIterator[str]:
            result = Runner.run_streamed(agent, request.message)
            async for event in result.stream_events():
                if event.type == "raw_response_event" and hasattr(event.data, "delta"):
                    yield f"data: {json.dumps({'delta': event.data.delta})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(generate(), media_type="text/event-stream")

    @app.websocket("/ws/chat")
    async def websocket_chat(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                text = await websocket.receive_text()
                result = Runner.run_streamed(agent, text)
                async for event in result.stream_events():
                    if event.type == "raw_response_event" and hasattr(event.data, "delta"):
                        await websocket.send_json({"type": "token", "content": event.data.delta})
                await websocket.send_json({"type": "done", "content": result.final_output})
        except WebSocketDisconnect:
            pass

    return app


async def test_a_chat_its_stream_and_its_socket_of_a_fastapi_app():
    async with server_of(chat_app()) as url, client_of(url) as client:
        answer = (await client.post("/chat", json={"message": "Hello"})).json()
        assert answer["response"]
        assert uuid.UUID(answer["session_id"])
        streamed = (await client.post("/chat/stream", json={"message": "Hello"})).text
        *deltas, end = [line.removeprefix("data: ") for line in streamed.split("\n\n") if line]
        assert end == "[DONE]"
        assert "".join(json.loads(each)["delta"] for each in deltas) == answer["response"]
        async with connect(f"ws{url.removeprefix('http')}/ws/chat") as socket:
            await socket.send("Hello")
            told = [json.loads(await socket.recv())]
            while told[-1]["type"] != "done":
                told.append(json.loads(await socket.recv()))
        assert told[-1]["content"] == "".join(each["content"] for each in told[:-1])


class AgentRegistry:
    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}

    def register(self, name: str, agent: Agent) -> None:
        self.agents[name] = agent

    def get(self, name: str) -> Agent | None:
        return self.agents.get(name)

    def list_agents(self) -> list[str]:
        return list(self.agents)


class AgentPool:
    def __init__(self, agent: Agent, size: int) -> None:
        self.agent = agent
        self.semaphore = asyncio.Semaphore(size)
        self.active, self.most = 0, 0

    async def run(self, message: str) -> Any:
        async with self.semaphore:
            self.active += 1
            self.most = max(self.most, self.active)
            try:
                return (await Runner.run(self.agent, message)).final_output
            finally:
                self.active -= 1


async def test_a_registry_of_agents_and_a_pool_behind_it():
    app, registry, pool = FastAPI(), AgentRegistry(), AgentPool(agent_of(), 3)
    registry.register("support", agent_of("Support"))
    registry.register("sales", agent_of("Sales"))

    @app.get("/agents")
    async def agents() -> dict[str, list[str]]:
        return {"agents": registry.list_agents()}

    @app.post("/chat/{agent_name}")
    async def chat(agent_name: str, request: ChatRequest) -> dict[str, Any]:
        agent = registry.get(agent_name)
        if not agent:
            raise HTTPException(status_code=404, detail="Agent not found")
        result = await Runner.run(agent, request.message)
        return {"agent": result.last_agent.name, "response": result.final_output}

    @app.post("/pool")
    async def pooled(request: ChatRequest) -> dict[str, Any]:
        return {"response": await pool.run(request.message)}

    async with server_of(app) as url, client_of(url) as client:
        assert (await client.get("/agents")).json() == {"agents": ["support", "sales"]}
        found = (await client.post("/chat/sales", json={"message": "Hi"})).json()
        assert found["agent"] == "Sales"
        assert (await client.post("/chat/none", json={"message": "Hi"})).status_code == 404
        asked = [client.post("/pool", json={"message": f"Hi {number}"}) for number in range(8)]
        assert {each.status_code for each in await asyncio.gather(*asked)} == {200}
    assert 1 <= pool.most <= 3


async def test_limits_by_slowapi_a_health_check_and_metrics():
    app, agent, registry = FastAPI(), agent_of(), CollectorRegistry()
    limiter = Limiter(key_func=get_remote_address)
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)  # pyright: ignore[reportArgumentType]
    asked = Counter("agent_requests_total", "Requests", ["agent"], registry=registry)
    seconds = Histogram("agent_request_seconds", "Seconds", registry=registry)

    @app.post("/chat")
    @limiter.limit("2/minute")
    async def chat(request: Request, body: ChatRequest) -> dict[str, Any]:
        asked.labels(agent.name).inc()
        began = time.perf_counter()
        result = await Runner.run(agent, body.message)
        seconds.observe(time.perf_counter() - began)
        return {"response": result.final_output}

    @app.get("/health")
    async def health() -> dict[str, str]:
        result = await Runner.run(agent, "Say OK", max_turns=1)
        return {"status": "healthy" if result.final_output else "unhealthy"}

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(generate_latest(registry))

    async with server_of(app) as url, client_of(url) as client:
        codes = [(await client.post("/chat", json={"message": "Hi"})).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        assert (await client.get("/health")).json() == {"status": "healthy"}
        assert 'agent_requests_total{agent="Assistant"} 2.0' in (await client.get("/metrics")).text


async def test_what_runs_when_an_app_ends_is_waited_for():
    active: set[asyncio.Task[Any]] = set()
    agent = agent_of()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if active:
            await asyncio.wait(active, timeout=PATIENCE_S)

    app = FastAPI(lifespan=lifespan)

    @app.post("/chat", status_code=202)
    async def chat(request: ChatRequest) -> dict[str, str]:
        run_id = str(uuid.uuid4())
        task = asyncio.create_task(Runner.run(agent, request.message, run_id=run_id))
        active.add(task)
        return {"run_id": run_id}

    async with server_of(app) as url, client_of(url) as client:
        run_id = (await client.post("/chat", json={"message": "Hi"})).json()["run_id"]
    (task,) = active
    assert task.done()
    assert (await Runner.resume(run_id, agent)).final_output == task.result().final_output


@pytest.mark.services
async def test_keys_and_sessions_in_redis():
    import redis.asyncio as redis
    from outlast.extensions.memory import RedisSession

    place = os.environ["OUTLAST_TEST_REDIS_URL"]
    store: Any = redis.from_url(place, decode_responses=True)
    app, agent = FastAPI(), agent_of()
    header = APIKeyHeader(name="X-API-Key")
    key = f"sk-{uuid.uuid4()}"
    named = f"api_key:{hashlib.sha256(key.encode()).hexdigest()}"

    async def verify(api_key: str = Depends(header)) -> str:
        found = f"api_key:{hashlib.sha256(api_key.encode()).hexdigest()}"
        user = await store.hget(found, "user")
        if not user:
            raise HTTPException(status_code=401, detail="Invalid API key")
        await store.hincrby(found, "usage", 1)
        return user

    @app.post("/chat")
    async def chat(request: ChatRequest, user: str = Depends(verify)) -> dict[str, Any]:  # noqa: FAST002
        session = RedisSession.from_url(f"{user}:{request.session_id}", url=place)
        try:
            result = await Runner.run(agent, request.message, session=session)
            return {"response": result.final_output, "items": len(await session.get_items())}
        finally:
            await session.close()

    await store.hset(named, mapping={"user": "ana", "usage": 0})
    try:
        async with server_of(app) as url, client_of(url) as client:
            body = {"message": "Hi", "session_id": str(uuid.uuid4())}
            assert (
                await client.post("/chat", json=body, headers={"X-API-Key": "x"})
            ).status_code == 401
            for items in (2, 4):
                answer = await client.post("/chat", json=body, headers={"X-API-Key": key})
                assert answer.json()["items"] == items
        assert await store.hget(named, "usage") == "2"
    finally:
        await store.delete(named)
        await store.aclose()


def client_of(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S)
