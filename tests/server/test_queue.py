"""What waits for a worker: in which order it begins, and when."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.server.conftest import served

from outlast import Agent
from outlast.core.events import RunStarted
from outlast.server import App


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
