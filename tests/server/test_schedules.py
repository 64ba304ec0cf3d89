"""Schedules: due by a clock in a time zone, begun once whoever looks, and there after a restart."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import PATIENCE_S, served

from outlast import Agent
from outlast.core.errors import UserError
from outlast.server import App, Schedule
from outlast.server.database import Database
from outlast.server.schedules.scheduler import Scheduler
from outlast.server.schedules.store import SCHEDULES, Schedules

BERLIN: dict[str, Any] = {"name": "digest", "input": "Sum up.", "timezone": "Europe/Berlin"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "after", "due"),
    [
        ({"cron": "0 9 * * 1-5"}, "2026-11-27T08:00", ["2026-11-30T08:00", "2026-12-01T08:00"]),
        # Clocks are put forward at 2 on March 29, so 02:30 is not there; it is due when it would be.
        ({"cron": "30 2 * * *"}, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        # They are put back at 3 on October 25, so 02:30 is there twice.
        ({"cron": "30 2 * * *"}, "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ({"cron": "0 * * * *"}, "2026-10-24T23:30", ["2026-10-25T00:00", "2026-10-25T01:00"]),
        ({"every_s": 90}, "2026-01-01T00:01", ["2026-01-01T00:01:30", "2026-01-01T00:03"]),
        ({"at": "2026-01-01T10:00:00+02:00"}, "2026-01-01T00:00", ["2026-01-01T08:00"]),
        ({"at": "2026-01-01T10:00:00Z"}, "2026-01-01T10:00", []),
    ],
)
def test_a_schedule_is_due_by_the_clock_of_its_zone(when: Any, after: str, due: list[str]):
    following = Schedule(**BERLIN, **when).following(at(after), at("2026-01-01T00:00"))
    assert [instant for instant, _ in zip(following, due, strict=False)] == [at(x) for x in due]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"cron": "0 9 * * 1-5", "every_s": 5},
        {"cron": "0 9 * *"},
        {"cron": "61 * * * *"},
        {"cron": "* * * * *", "timezone": "Europe/Nowhere"},
        {"at": "2026-01-01T10:00:00"},
        {"at": "soon"},
        {"every_s": 0},
        {"cron": "* * * * *", "name": "A digest"},
        {"cron": "* * * * *", "priority": 10},
        {"cron": "* * * * *", "catch_up_max": 0},
    ],
)
def test_a_schedule_that_says_no_time_is_refused(wrong: Any):
    with pytest.raises(UserError, match=r"\.$"):
        Schedule(**{**BERLIN, **wrong})


class Clock:
    """A clock that is set by hand."""

    def __init__(self, text: str) -> None:
        self.now = at(text).timestamp()

    def __call__(self) -> float:
        return self.now

    def set(self, text: str) -> None:
        self.now = at(text).timestamp()


def scheduler_of(app: App, folder: Path, clock: Clock, *code: Schedule) -> Scheduler:
    schedules = Schedules(Database(folder / "server.db", SCHEDULES), code)
    schedules.begin(clock())
    return Scheduler(app.service, schedules, clock)


async def test_each_instant_begins_one_run_however_many_look(tmp_path: Path):
    app = App(
        [Agent(name="Desk", model="offline")], journal=str(tmp_path / "journal.db"), performs=False
    )
    clock = Clock("2026-10-24T22:59")
    hourly = Schedule(**BERLIN, cron="*/30 * * * *", catch_up="all", overlap="allow")
    async with app.lifespan():
        three = [scheduler_of(app, tmp_path, clock, hourly) for _ in range(3)]
        for hour in ("23:00", "23:31", "23:59"):
            clock.set(f"2026-10-24T{hour}")
            await asyncio.gather(*(each.look() for each in three))
        clock.set("2026-10-25T02:10")  # Clocks were put back at 01:00 UTC.
        await asyncio.gather(*(each.look() for each in three))
        rows = await app.service.journal.runs()
    begun = sorted(row.run_id.removeprefix("schedule:digest:2026-10-") for row in rows)
    assert begun == [
        *("24T23:00:00.000Z", "24T23:30:00.000Z", "25T00:00:00.000Z", "25T00:30:00.000Z"),
        *("25T01:00:00.000Z", "25T01:30:00.000Z", "25T02:00:00.000Z"),
    ]


@pytest.mark.parametrize(
    ("how", "ran"),
    [
        ({"catch_up": "none"}, ["11"]),
        ({"catch_up": "last"}, ["11"]),
        ({"catch_up": "all"}, ["08", "09", "10", "11"]),
        ({"catch_up": "all", "catch_up_max": 2}, ["09", "10", "11"]),
    ],
)
async def test_what_was_missed_is_made_up_for_as_the_schedule_says(
    tmp_path: Path, how: Any, ran: Any
):
    app = App(
        [Agent(name="Desk", model="offline")], journal=str(tmp_path / "journal.db"), performs=False
    )
    clock = Clock("2026-11-30T07:30")
    async with app.lifespan():
        hourly = Schedule(name="digest", input="x", cron="0 * * * *", overlap="allow", **how)
        scheduler = scheduler_of(app, tmp_path, clock, hourly)
        clock.set("2026-11-30T11:00:02")
        await scheduler.look()
        (entry,) = scheduler.schedules.list()
        firings = scheduler.schedules.firings(entry, 10)
    assert sorted(each.due_at[11:13] for each in firings if each.run_id) == ran
    assert {each.why for each in firings if not each.run_id} <= {"missed"}
    assert len(firings) == 4


@pytest.mark.parametrize(
    ("overlap", "statuses"),
    [
        ("skip", ["running"]),
        ("queue", ["running"]),
        ("cancel", ["cancelled", "running"]),
        ("allow", ["running", "running"]),
    ],
)
async def test_a_run_that_has_not_ended_meets_the_next_one_as_the_schedule_says(
    tmp_path: Path, overlap: Any, statuses: list[str]
):
    app = App(
        [Agent(name="Desk", model="offline")], journal=str(tmp_path / "journal.db"), performs=False
    )
    clock = Clock("2026-11-30T07:30")
    async with app.lifespan():
        hourly = Schedule(name="digest", input="x", cron="0 * * * *", overlap=overlap)
        scheduler = scheduler_of(app, tmp_path, clock, hourly)
        for hour in ("08", "09"):
            clock.set(f"2026-11-30T{hour}:00:02")
            await scheduler.look()
        rows = await app.service.journal.runs()
    assert sorted(row.status for row in rows) == statuses


async def test_schedules_are_made_read_paused_triggered_and_forgotten_over_http(tmp_path: Path):
    file = str(tmp_path / "journal.db")
    nightly = Schedule(name="nightly", input="Tidy up.", cron="0 3 * * *")
    app = App([Agent(name="Desk", model="offline")], journal=file, schedules=[nightly])
    async with served(app) as client:
        body = {**BERLIN, "cron": "0 9 * * 1-5"}
        made = await client.post("/api/v1/schedules", json=body)
        assert (made.status_code, made.json()["next_at"][10:]) == (201, made.json()["next_at"][10:])
        assert (await client.post("/api/v1/schedules", json=body)).status_code == 409
        wrong = await client.post("/api/v1/schedules", json={**body, "name": "x", "cron": "nope"})
        assert wrong.status_code == 422
        assert "Write it like" in wrong.json()["detail"]
        fired = (await client.post("/api/v1/schedules/digest/trigger")).json()
        run = (await client.get(f"/api/v1/runs/{fired['run_id']}?wait=30")).json()
        assert (run["status"], run["metadata"]) == ("completed", {"schedule": "digest"})
        rows = (await client.get("/api/v1/schedules/digest/firings")).json()["data"]
        assert [(row["run_id"], row["status"]) for row in rows] == [(fired["run_id"], "completed")]
        paused = (await client.post("/api/v1/schedules/digest/pause")).json()
        assert (paused["paused"], paused["next_at"]) == (True, None)
        assert (await client.delete("/api/v1/schedules/nightly")).status_code == 409
    async with served(App([Agent(name="Desk", model="offline")], journal=file)) as client:
        kept = (await client.get("/api/v1/schedules")).json()["data"]
        assert [(each["name"], each["paused"]) for each in kept] == [("digest", True)]
        assert (await client.delete("/api/v1/schedules/digest")).status_code == 204
        assert (await client.get("/api/v1/schedules/digest")).status_code == 404


async def test_a_served_schedule_begins_by_itself(tmp_path: Path):
    every = Schedule(name="tick", input="Hello", every_s=1)
    app = App(
        [Agent(name="Desk", model="offline")], journal=str(tmp_path / "j.db"), schedules=[every]
    )
    async with served(app) as client, asyncio.timeout(PATIENCE_S):
        while not (rows := (await client.get("/api/v1/runs")).json()["data"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert rows[-1]["run_id"].startswith("schedule:tick:")
