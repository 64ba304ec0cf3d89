"""What waits for a worker: in which order it begins, and when."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import PATIENCE_S, served

from outlast import Agent, function_tool
from outlast.core.events import RunAcquired, RunStarted
from outlast.run import control
from outlast.server import App, Caller
from outlast.server.service import Order
from outlast.server.worker import ATTEMPTS
from outlast.testing import ScriptedModel, assistant_message, function_call


async def begun(client: Any, **body: Any) -> str:
    answer = await client.post("/api/v1/runs", json={"input": "Hello", **body})
    assert answer.status_code == 202, answer.text
    return answer.json()["run_id"]


async def test_the_most_urgent_run_begins_first(tmp_path: Path):
    file = str(tmp_path / "journal.db")
    desk = Agent(name="Desk", model="offline")
    async with served(App([desk], journal=file, performs=False)) as client:
        order = [
            await begun(client, run_id=f"p{level}", priority=level) for level in (0, 9, 3, 9)[:3]
        ]
    app = App([desk], journal=file, concurrency=1, performs=False)
    async with app.lifespan():
        await app.service.worker.until_idle()
        rows = await app.service.journal.runs()
    assert {row.status for row in rows} == {"completed"}
    assert order == ["p0", "p9", "p3"]
    assert [row.run_id for row in sorted(rows, key=lambda row: row.updated_at)] == [
        "p9",
        "p3",
        "p0",
    ]


async def test_a_delayed_run_waits_and_one_that_is_too_late_is_cancelled(tmp_path: Path):
    file = str(tmp_path / "journal.db")
    desk = Agent(name="Desk", model="offline")
    async with served(App([desk], journal=file, performs=False)) as client:
        await begun(client, run_id="later", delay_s=3600)
        await begun(client, run_id="late", ttl_s=0.01)
        await begun(client, run_id="now", ttl_s=3600)
    await asyncio.sleep(0.02)
    app = App([desk], journal=file, performs=False)
    async with app.lifespan():
        await app.service.worker.until_idle()
        rows = {row.run_id: row.status for row in await app.service.journal.runs()}
        log = await app.service.journal.read("later")
    assert rows == {"later": "running", "late": "cancelled", "now": "completed"}
    assert isinstance(log[0].event, RunStarted)


async def test_no_more_runs_of_an_agent_are_performed_than_may_be_by_all_processes(tmp_path: Path):
    file = str(tmp_path / "journal.db")
    now, most = 0, 0
    gate = asyncio.Event()

    @function_tool
    async def work() -> str:
        """Work."""
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.wait_for(gate.wait(), PATIENCE_S)
        now -= 1
        return "done"

    def app() -> App:
        busy = Agent(name="Busy", model=working_model(), tools=[work])
        return App([busy], journal=file, max_concurrent={"Busy": 2}, performs=False)

    first, second = app(), app()
    async with first.lifespan(), second.lifespan():
        for _ in range(6):
            await first.service.begin(Order(input="Go."), Caller("me"))
        done = asyncio.gather(first.service.worker.until_idle(), second.service.worker.until_idle())
        async with asyncio.timeout(PATIENCE_S):
            while now < 2:  # noqa: ASYNC110  # tools count
                await asyncio.sleep(0.01)
        gate.set()
        await asyncio.wait_for(done, PATIENCE_S)
        rows = await first.service.journal.runs()
    assert [row.status for row in rows] == ["completed"] * 6
    assert most == 2


async def test_a_worker_of_a_queue_leaves_the_runs_of_others_alone(tmp_path: Path):
    agents = [Agent(name=name, model="offline") for name in ("Desk", "Planner")]
    app = App(
        agents, journal=str(tmp_path / "journal.db"), performs=False, queues={"Planner": "cpu"}
    )
    app.served_queues = frozenset({"cpu"})
    async with app.lifespan():
        for name in ("Desk", "Planner"):
            await app.service.begin(Order(agent=name, input="Hi", run_id=name), Caller("me"))
        await app.service.worker.until_idle()
        rows = {row.run_id: row.status for row in await app.service.journal.runs()}
    assert rows == {"Desk": "running", "Planner": "completed"}


@pytest.mark.parametrize(
    ("times", "status"), [(1, "completed"), (8, "interrupted"), (ATTEMPTS, "paused")]
)
async def test_a_run_that_nobody_gets_on_with_waits_and_at_last_rests_until_it_is_resumed(
    tmp_path: Path, times: int, status: str
):
    file = str(tmp_path / "journal.db")
    app = App([Agent(name="Desk", model="offline")], journal=file, performs=False)
    async with app.lifespan():
        await app.service.begin(Order(input="Hi", run_id="r"), Caller("me"))
        journal = app.service.journal
        for _ in range(times):
            lease = await journal.acquire("r")
            await journal.append(lease, [RunAcquired("somebody")])
            await journal.release(lease)
        await app.service.worker.until_idle()
        assert (await app.service.state("r", Caller("me")))["status"] == status
        if status == "paused":
            await control.unpause("r", by="me", run_config={"journal": journal})
        await app.service.worker.offer("r", goes_on=True)
        await app.service.wait("r", PATIENCE_S)
        assert (await app.service.state("r", Caller("me")))["status"] == "completed"


def working_model() -> ScriptedModel:
    """A model that calls `work` once in each run."""

    class Model(ScriptedModel):
        def stream_response(self, *args: Any, **more: Any) -> Any:
            items = args[1] if len(args) > 1 else more["input"]
            is_done = any(item.get("type") == "function_call_output" for item in items)
            self.enqueue(
                [assistant_message("ok") if is_done else function_call("work", {}, call_id="c1")]
            )
            return super().stream_response(*args, **more)

    return Model()
