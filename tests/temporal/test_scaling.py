"""Two workers share what there is to do, and what one of them leaves is the other's."""

import asyncio
import os
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from worker_process import busy_agent

from outlast import Agent, Runner
from outlast.temporal import (
    DirectoryStore,
    Program,
    TemporalEngine,
    TemporalSettings,
    connect,
    worker_of,
)
from outlast.testing import ScriptedModel, assistant_message, function_call

pytestmark = [pytest.mark.services, pytest.mark.slow]
RUNS = int(os.environ.get("OUTLAST_TEST_RUNS", "40"))
"""`make cluster` has 200 of them."""


async def test_many_runs_at_once_finish_on_two_workers(address: str, tmp_path: Path):
    queue, store = f"w{os.urandom(6).hex()}", DirectoryStore(tmp_path / "store")
    command = [sys.executable, str(Path(__file__).with_name("worker_process.py")), "busy"]
    workers = [
        await asyncio.create_subprocess_exec(*command, str(tmp_path), queue) for _ in range(2)
    ]
    try:
        settings = TemporalSettings(heartbeat_s=30.0)
        engine = TemporalEngine(
            await connect(store, address), store, queue=queue, settings=settings, prefix=f"{queue}/"
        )
        began = time.monotonic()
        results = await asyncio.gather(
            *(
                Runner.run(busy_agent(), f"run {n}", engine=engine, run_id=f"r{n}")
                for n in range(RUNS)
            )
        )
        print(f"{RUNS} runs on two workers: {time.monotonic() - began:.1f} s")
    finally:
        for each in workers:
            each.kill()
            await each.wait()
    assert [each.final_output for each in results] == [f"looked up run {n}" for n in range(RUNS)]
    done = Counter((tmp_path / "done.log").read_text().splitlines())
    looked = {line.split(" by ")[0]: n for line, n in done.items() if line.startswith("look ")}
    assert looked == {f"look run {n}": 1 for n in range(RUNS)}
    assert len({line.split(" by ")[1] for line in done}) == 2


async def test_two_agents_are_performed_by_the_workers_of_their_queues(
    address: str, tmp_path: Path
):
    name, store = f"w{os.urandom(6).hex()}", DirectoryStore(tmp_path / "store")
    client = await connect(store, address)
    queues = {each: f"{name}-{each}" for each in ("front", "back")}
    settings = TemporalSettings(queues=queues)
    did: dict[str, list[str]] = {"front": [], "back": []}

    def program(worker: str) -> Program:
        def agent(called: str, script: list[Any]) -> Agent[Any]:
            def instructions(_context: Any, _agent: Any) -> str:
                did[worker].append(called)
                return called

            return Agent(name=called, model=ScriptedModel(script), instructions=instructions)

        back = agent("back", [[assistant_message("done")]])
        front = agent("front", [[function_call("transfer_to_back", {}, call_id="h")]])
        front.handoffs = [back]
        return Program(agent=front)

    async with AsyncExitStack() as stack:
        for worker, queue in (
            ("front", name),
            ("front", queues["front"]),
            ("back", queues["back"]),
        ):
            await stack.enter_async_context(
                worker_of(client, store, program(worker), queue=queue, settings=settings)
            )
        engine = TemporalEngine(client, store, queue=name, settings=settings, prefix=f"{name}/")
        result = await Runner.run(program("front").agent, "go", engine=engine, run_id="r")
    assert result.final_output == "done"
    assert result.last_agent.name == "back"
    assert {who: set(agents) for who, agents in did.items()} == {
        "front": {"front"},
        "back": {"back"},
    }
