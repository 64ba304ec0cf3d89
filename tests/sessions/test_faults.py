"""Sessions on real servers behind a line that fails: no item twice, none missing, in their order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.sessions.fault_proxy import FaultProxy

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.journal import MemoryJournal
from outlast.sessions.backends import DaprSession, MongoDBSession, RedisSession, SQLAlchemySession
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

FAULTS = int(os.environ.get("OUTLAST_TEST_FAULTS", "60"))
"""How many faults each server's line has, at least."""
PATIENCE_S = 60
"""How long a run is tried: a client may wait for a while before it connects again."""


def _redis(port: int, session_id: str) -> Any:
    kwargs = {"socket_timeout": 2, "socket_connect_timeout": 2}
    return RedisSession.from_url(
        session_id, url=f"redis://127.0.0.1:{port}/0", redis_kwargs=kwargs, ttl=3600
    )


def _postgres(port: int, session_id: str) -> Any:
    there = urlsplit(os.environ["OUTLAST_TEST_POSTGRES_URL"])
    user = there.netloc.rpartition("@")[0]
    url = f"postgresql+asyncpg://{user}@127.0.0.1:{port}{there.path}?ssl=disable"
    engine = {"connect_args": {"timeout": 2, "command_timeout": 2}}
    return SQLAlchemySession.from_url(session_id, url=url, create_tables=True, engine_kwargs=engine)


def _mongo(port: int, session_id: str) -> Any:
    there = urlsplit(os.environ["OUTLAST_TEST_MONGODB_URL"])
    user = there.netloc.rpartition("@")[0]
    place = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
    uri = f"mongodb://{place}{there.path}?{there.query}".rstrip("?")
    kwargs = {"serverSelectionTimeoutMS": 3000, "socketTimeoutMS": 2000, "directConnection": True}
    return MongoDBSession.from_uri(session_id, uri=uri, client_kwargs=kwargs)


def _dapr(port: int, session_id: str) -> Any:
    store = os.environ["OUTLAST_TEST_DAPR_STORES"].replace(",", " ").split()[-1]
    return DaprSession.from_address(
        session_id, state_store_name=store, dapr_address=f"127.0.0.1:{port}"
    )


SERVERS: dict[str, tuple[str, Callable[[int, str], Any]]] = {
    "redis": ("OUTLAST_TEST_REDIS_URL", _redis),
    "postgres": ("OUTLAST_TEST_POSTGRES_URL", _postgres),
    "mongodb": ("OUTLAST_TEST_MONGODB_URL", _mongo),
    "dapr": ("OUTLAST_TEST_DAPR_ADDRESS", _dapr),
}


@function_tool
def look(at: str) -> str:
    """Look."""
    return f"seen {at}"


class Looker(ScriptedModel):
    """Looks twice at once at what the user says, and then says so; whoever asks, and however often."""

    async def get_response(self, *args: Any, **options: Any) -> Any:
        items = args[1]
        said = next(i["content"] for i in reversed(items) if i.get("role") == "user")
        if items[-1].get("type") == "function_call_output":
            output: Any = [assistant_message(f"done {said}", item_id=f"msg_{said}")]
        else:
            output = [
                function_call("look", {"at": f"{said}.{n}"}, call_id=f"call_{said}.{n}")
                for n in range(2)
            ]
        self.enqueue(ModelStep(output=output))
        return await super().get_response(*args, **options)


def kinds(items: list[Any]) -> list[Any]:
    """What of items tells which they are."""
    return [item.get("call_id") or item.get("id") or item.get("content") for item in items]


def expected(runs: int) -> list[Any]:
    found: list[Any] = []
    for said in map(str, range(runs)):
        calls = [f"call_{said}.0", f"call_{said}.1"]
        found += [said, *calls, *calls, f"msg_{said}"]
    return found


async def close(session: Any) -> None:
    if isinstance(session, SQLAlchemySession):
        await session.engine.dispose()
    else:
        await session.close()


async def converse(proxy: FaultProxy, open_session: Callable[[int, str], Any], runs: int) -> None:
    """Runs that go on after each failure of their session, until all have ended."""
    session_id = f"faults-{os.urandom(6).hex()}"
    journal, agent = MemoryJournal(), Agent(name="clerk", model=Looker(), tools=[look])
    config = RunConfig(journal=journal)
    session = open_session(proxy.port, session_id)
    for said in map(str, range(runs)):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                if await journal.runs(run_id_starts=f"r{said}."):
                    await Runner.resume(f"r{said}.", agent, session=session, run_config=config)
                else:
                    await Runner.run(
                        agent, said, session=session, run_id=f"r{said}.", run_config=config
                    )
            except Exception:  # noqa: BLE001  # whatever the line has done to the client
                await asyncio.sleep(0.01)
                continue
            break
        else:
            pytest.fail(f"Run {said} has not ended after {PATIENCE_S} s.")
    await close(session)
    direct = open_session(proxy.target[1], session_id)
    assert kinds(await direct.get_items()) == expected(runs)
    await close(direct)


@pytest.mark.services
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(variable not in os.environ, reason=f"{variable} is not set"),
        )
        for name, (variable, _) in SERVERS.items()
    ],
)
@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_session_behind_a_line_that_fails_is_what_it_would_be(name: str):
    variable, open_session = SERVERS[name]
    there = os.environ[variable]
    place = urlsplit(there if "//" in there else f"//{there}")
    seed, seen = 0, 0
    while seen < FAULTS:
        proxy = FaultProxy(place.hostname or "", place.port or 0, seed=seed, every=9)
        async with proxy.listening():
            await converse(proxy, open_session, runs=5)
        seed, seen = seed + 1, seen + proxy.faults
        assert seed < 40 * FAULTS, "The line does not fail."
