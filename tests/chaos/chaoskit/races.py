"""Two processes that want one run, and calls that are cancelled while the journal is at work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from chaoskit.harness import KILLED, Golden, Warm, check, effects, folder, is_expected, outcome_of
from outlast.core.events import RunStarted, StepRecorded
from outlast.journal import Lease, SqliteJournal

HELD = {"AlreadyRunning", "Fenced"}
"""What the loser of a race may be told."""


def double_resume(warm: Warm, expected: Golden, point: str) -> list[str]:
    """Kill a run, and let two processes go on with it in the same moment. Returns what is wrong."""
    with folder() as place:
        crashes = warm.play(place, expected.scenario, point) == [KILLED]
        warm.play(place, expected.scenario, many=2)
        found = [outcome_of(place, number) for number in range(2)]
        done = [facts["outcome"] for facts in found if "outcome" in facts]
        problems = [
            f"it failed with {facts['error']}: {facts['text']}"
            for facts in found
            if facts.get("error", "Fenced") not in HELD
        ]
        if not done:
            problems.append("nobody went on with it")
        problems += [f"outcome {each}" for each in done if not is_expected(expected, each)]
        where = f"{expected.scenario} killed at {point}, resumed twice"
        return [f"{where}: {each}" for each in problems + check(place, int(crashes))]


def zombie(one: Warm, other: Warm) -> list[str]:
    """Stop the owner of a run in a tool, replace it, and wake it up. Returns what is wrong."""
    with folder() as place:
        one.send(place, "stuck")
        owner = wait_for_the_tool(place)
        os.kill(owner, signal.SIGSTOP)
        problems: list[str] = []
        try:
            if other.play(place, "stuck", force=True) != [0]:
                problems.append(f"it was not taken over: {outcome_of(place)}")
            before = effects(place)
            (place / "go").touch()
        finally:
            os.kill(owner, signal.SIGCONT)
        if one.receive() != [1] or outcome_of(place).get("error") != "Fenced":
            problems.append(f"the old owner was not refused: {outcome_of(place)}")
        if effects(place) != before:
            problems.append("the old owner went on")
        return problems + check(place, 1)


def wait_for_the_tool(place: Path) -> int:
    """The process whose tool hangs, as soon as it does."""
    deadline = time.monotonic() + 20
    while not (done := [line for line in effects(place) if line["effect"] == "tool:wait:a"]):
        if time.monotonic() > deadline:
            raise TimeoutError("The tool does not begin.")
        time.sleep(0.002)
    return int(done[-1]["pid"])


async def cancel_appends(seed: int, count: int, durability: str) -> list[str]:
    """Cancel appends of 20 runs until `count` were cut off. Returns what is wrong with the logs."""
    random_ = random.Random(seed)
    with folder() as place:
        journal = SqliteJournal(place / "journal.db", durability=durability)
        runs = [CancelledRun(journal, random_) for _ in range(20)]
        await asyncio.gather(*(each.begin(f"r{n}") for n, each in enumerate(runs)))
        while sum(each.cut for each in runs) < count:
            await asyncio.gather(*(each.append() for each in runs))
        problems = [f"{n}: {wrong}" for n, each in enumerate(runs) for wrong in await each.check()]
        db = journal.committer.db
        if db.in_transaction:
            problems.append("a transaction was left open")
        if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            problems.append("the file is damaged")
        await journal.close()
        if (left := [file.name for file in place.iterdir()]) != ["journal.db"]:
            problems.append(f"left behind: {left}")
        return problems


class CancelledRun:
    """A run whose appends are cancelled at some point, and what was said about each."""

    lease: Lease

    def __init__(self, journal: SqliteJournal, random_: random.Random) -> None:
        self.journal = journal
        self.random = random_
        self.cut = 0
        self.tried = 0
        self.acknowledged: list[int] = []

    async def begin(self, name: str) -> None:
        self.lease = await self.journal.acquire(name, new=True)
        await self.journal.append(self.lease, [RunStarted("a", [])])

    async def append(self) -> None:
        number, self.tried = self.tried, self.tried + 1
        pair = [StepRecorded("t", "s", result=number), StepRecorded("t", "t", result=number)]
        task = asyncio.ensure_future(_awaited(self.journal.append(self.lease, pair)))
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        if self.random.random() < 0.2:
            await asyncio.sleep(self.random.random() / 500)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        if task.cancelled():
            self.cut += 1
        else:
            self.acknowledged.append(number)

    async def check(self) -> list[str]:
        await self.journal.append(self.lease, [StepRecorded("t", "end")])
        log = await self.journal.read(self.lease.run_id)
        events: list[Any] = [each.event for each in log[1:-1]]
        firsts, seconds = events[::2], events[1::2]
        numbers = [event.result for event in firsts]
        problems = {
            "the log has gaps": [each.seq for each in log] != list(range(self.lease.head)),
            "an append was written in part": numbers != [event.result for event in seconds],
            "appends are out of order, or there twice": numbers != sorted(set(numbers)),
            "what was acknowledged is lost": bool(set(self.acknowledged) - set(numbers)),
        }
        return [problem for problem, is_so in problems.items() if is_so]


async def _awaited(work: Awaitable[None]) -> None:
    await work
