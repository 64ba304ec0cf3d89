"""Lists of models over real sockets: each fault of an endpoint in the middle of a run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outlast import (
    Agent,
    CircuitBreaker,
    FallbackModel,
    ModelSettings,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from outlast.calls.fallback import endpoint_of, health_key
from outlast.core.events import EffectFailed, ModelReplied
from outlast.journal import SqliteJournal
from outlast.journal.health import SqliteHealth
from outlast.journal.memory import MemoryJournal
from outlast.testing import assistant_message, function_call
from outlast.testing.provider import ScriptedProvider, StatusError, fault

LOOKS = [function_call("look", {}, call_id="c1")]
DONE = [assistant_message("done")]
ONCE = ModelSettings(retry={"max_retries": 0})  # pyright: ignore[reportArgumentType]


@function_tool
def look() -> str:
    """Look."""
    return "sunny"


@pytest.fixture
async def pair() -> AsyncIterator[tuple[ScriptedProvider, ScriptedProvider]]:
    async with ScriptedProvider([]) as one, ScriptedProvider([]) as two:
        yield one, two


def responses(name: str, provider: ScriptedProvider) -> OpenAIResponsesModel:
    return OpenAIResponsesModel(name, provider.client())


async def log_of(journal: Any, kind: type[Any]) -> list[Any]:
    stored = await journal.read("r")
    return [each.event for each in stored if isinstance(each.event, kind)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "step",
    [
        StatusError(401, "no"),
        StatusError(429, "slow down", headers={"retry-after": "3600"}),
        StatusError(500, "broken"),
        StatusError(529, "overloaded"),
        ConnectionError("reset"),
    ],
    ids=["401", "429", "500", "529", "reset"],
)
async def test_a_run_goes_on_with_the_next_endpoint_in_the_middle(
    pair: tuple[ScriptedProvider, ScriptedProvider], step: Any, streamed: bool
):
    one, two = pair
    one.extend([LOOKS, step])
    two.extend([DONE])
    model = FallbackModel([responses("gpt-a", one), responses("gpt-b", two)])
    agent = Agent(name="desk", model=model, tools=[look], model_settings=ONCE)
    config = RunConfig(journal=(journal := MemoryJournal()))
    if streamed:
        result: Any = Runner.run_streamed(agent, "hi", run_id="r", run_config=config)
        async for _ in result.stream_events():
            pass
    else:
        result = await Runner.run(agent, "hi", run_id="r", run_config=config)
    assert result.final_output == "done"
    assert [e.model for e in await log_of(journal, ModelReplied)] == ["gpt-a", "gpt-b"]
    (failed,) = await log_of(journal, EffectFailed)
    assert (failed.model, failed.is_model_spent) == ("gpt-a", True)
    assert [len(each.requests) for each in pair] == [2, 1]
    # The second endpoint is given the conversation, and the call that the first one made.
    assert two.requests[0].body["model"] == "gpt-b"
    kinds = [item.get("type", "message") for item in two.requests[0].body["input"]]
    assert kinds == ["message", "function_call", "function_call_output"]


async def test_the_default_retries_of_a_model_come_before_the_next_one(
    pair: tuple[ScriptedProvider, ScriptedProvider],
):
    one, two = pair
    one.extend([StatusError(503, "busy", headers={"retry-after-ms": "1"}), DONE])
    model = FallbackModel([responses("gpt-a", one), responses("gpt-b", two)])
    journal = MemoryJournal()
    agent = Agent(name="desk", model=model)
    await Runner.run(agent, "hi", run_id="r", run_config=RunConfig(journal=journal))
    assert [len(each.requests) for each in pair] == [2, 0]
    failed = await log_of(journal, EffectFailed)
    assert [(e.model, e.is_model_spent) for e in failed] == [("gpt-a", False)]


async def test_an_endpoint_that_nobody_listens_at_is_passed_over_while_its_circuit_is_open(
    pair: tuple[ScriptedProvider, ScriptedProvider],
):
    one, two = pair
    two.extend([DONE] * 3)
    journal = MemoryJournal()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and never listened at: it refuses every connection.
        away = one.client(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        model_of_one = OpenAIResponsesModel("gpt-a", away)
        models = [model_of_one, responses("gpt-b", two)]
        breaker = CircuitBreaker(failures=2)
        model = FallbackModel(models, breaker=breaker)
        agent = Agent(name="desk", model=model, model_settings=ONCE)
        config = RunConfig(journal=journal)
        for run_id in ("r0", "r1", "r"):
            await Runner.run(agent, "hi", run_id=run_id, run_config=config)
    assert not await log_of(journal, EffectFailed)
    assert journal.health.get(health_key(model_of_one, "")).circuit.name == "open"


async def test_a_refused_request_stays_with_its_model(
    pair: tuple[ScriptedProvider, ScriptedProvider],
):
    one, two = pair
    one.extend([StatusError(400, "no such parameter")])
    agent = Agent(name="desk", model=FallbackModel([responses("a", one), responses("b", two)]))
    with pytest.raises(Exception, match="400"):
        await Runner.run(agent, "hi", run_config=RunConfig(journal=MemoryJournal()))
    assert not two.requests


async def test_a_stream_that_only_says_that_the_server_failed_has_shown_nothing(
    pair: tuple[ScriptedProvider, ScriptedProvider],
):
    one, two = pair
    one.extend([fault("s_error_first")])
    two.extend([DONE])
    models = [responses("a", one), responses("b", two)]
    agent = Agent(name="desk", model=FallbackModel(models), model_settings=ONCE)
    result = Runner.run_streamed(agent, "hi", run_config=RunConfig(journal=MemoryJournal()))
    async for _ in result.stream_events():
        pass
    assert result.final_output == "done"


async def test_what_has_been_shown_is_not_answered_again(
    pair: tuple[ScriptedProvider, ScriptedProvider],
):
    one, two = pair
    one.extend([fault("s_rst")])
    two.extend([DONE])
    agent = Agent(name="desk", model=FallbackModel([responses("a", one), responses("b", two)]))
    result = Runner.run_streamed(agent, "hi", run_config=RunConfig(journal=MemoryJournal()))
    with pytest.raises(Exception):  # noqa: B017, PT011 (which one is not what this is about)
        async for _ in result.stream_events():
            pass
    assert not two.requests


async def test_a_key_in_an_address_is_not_kept(
    pair: tuple[ScriptedProvider, ScriptedProvider],
):
    address = "http://user:sk-secret@127.0.0.1:8080/v1/?key=sk-secret"
    model = OpenAIResponsesModel("m", pair[0].client(base_url=address))
    assert endpoint_of(model) == "http://127.0.0.1:8080/v1"


# --- Killed in between. ------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
from pathlib import Path
from openai import AsyncOpenAI
from outlast import Agent, FallbackModel, ModelSettings, OpenAIResponsesModel, RunConfig, Runner
from outlast.journal import SqliteJournal
from outlast.testing import CrashingJournal

def model(name, base_url):
    return OpenAIResponsesModel(name, AsyncOpenAI(base_url=base_url, api_key="sk-test-key"))

async def main(path, one, two):
    journal = CrashingJournal.from_environment(SqliteJournal(Path(path), durability="process"))
    agent = Agent(name="desk", model=FallbackModel([model("gpt-a", one), model("gpt-b", two)]),
                  model_settings=ModelSettings(retry={"max_retries": 0}))
    result = await Runner.run(agent, "hi", run_id="r", run_config=RunConfig(journal=journal))
    print(result.final_output, journal.appends)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_process_killed_between_the_attempts_goes_on_with_the_next_endpoint(tmp_path: Path):
    with ScriptedProvider([StatusError(500, "broken")] * 9) as one, ScriptedProvider([DONE] * 9) as two:  # fmt: skip
        # The second append says that the first model is spent, the third that the next one is asked.
        for n in (2, 3):
            path = tmp_path / f"{n}.db"
            before = len(one.requests), len(two.requests)
            command = [sys.executable, "-c", PROGRAM, str(path), one.base_url, two.base_url]
            env = {**os.environ, "OUTLAST_CRASH_AT": f"{n}:after"}
            killed = subprocess.run(command, env=env, capture_output=True, check=False)
            assert killed.returncode < 0, killed.stderr.decode()
            done = subprocess.run(command, capture_output=True, check=False, text=True)
            assert done.stdout.startswith("done"), done.stderr
            asked = len(one.requests) - before[0], len(two.requests) - before[1]
            assert asked == (1, 1)


async def test_a_healthy_model_costs_no_transaction(
    pair: tuple[ScriptedProvider, ScriptedProvider], tmp_path: Path
):
    class Counting(SqliteHealth):
        changes = 0

        async def change(self, key: str, change: Any) -> Any:
            self.changes += 1
            return await super().change(key, change)

    pair[0].extend([DONE] * 2)
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    journal.health = health = Counting(journal.path)
    agent = Agent(name="desk", model=responses("gpt-a", pair[0]), model_settings=ONCE)
    for breaker in (None, CircuitBreaker()):
        await Runner.run(agent, "hi", run_config=RunConfig(journal=journal, breaker=breaker))
    assert not health.changes
