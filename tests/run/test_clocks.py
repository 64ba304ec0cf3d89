"""Wall clocks that are wrong, or set right between two processes: nothing is lost, repeated or waited for.

One table: the clock of whoever begins x the clock of whoever goes on x what the run was doing. Both open
the same file; time within a process is the monotonic clock's and goes on as it does.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import outlast
from outlast import (
    Agent,
    Budget,
    ModelRetrySettings,
    ModelSettings,
    RunConfig,
    Runner,
    RunParked,
    SQLiteSession,
    function_tool,
    recover_runs,
)
from outlast.core.events import EffectFailed
from outlast.definitions.clock import LATEST_S, utc, wall_s, wall_us
from outlast.definitions.retry import RetryDecision
from outlast.journal import SqliteJournal
from outlast.journal.blobs import is_settled, stamp
from outlast.testing import ScriptedModel, assistant_message, function_call

DAY = 86_400.0
CLOCKS = {
    "right": 0.0,
    "a day behind": -DAY,
    "in the year 1970": -1_796_000_000.0,
    "in the year 2200": 175 * 365 * DAY,
    "in the year 33,658": 1e12,
    "before the year 0": -1e11,
}
OK = [assistant_message("done")]
DOWN = ConnectionError("no route to host")
PATIENCE_S = 60
REAL, REAL_NS = time.time, time.time_ns


class World:
    """A file, who opens it, and what the wall clock says."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path, self.patch = path, patch
        self.performed: list[str] = []

    def set(self, offset_s: float) -> None:
        self.patch.setattr(time, "time", lambda: REAL() + offset_s)
        self.patch.setattr(time, "time_ns", lambda: REAL_NS() + int(min(offset_s, 1e99)) * 10**9)

    def config(self, **options: Any) -> RunConfig:
        journal = SqliteJournal(self.path, durability="process")
        return RunConfig(journal=journal, tracing_disabled=True, **options)

    def tool(self, *, needs_approval: bool = False) -> Any:
        @function_tool(on_uncertain="once", needs_approval=needs_approval)
        def pay() -> str:
            self.performed.append("pay")
            return "paid"

        return pay


Doing = Callable[[World, float, float], Awaitable[None]]
PAYS = [function_call("pay", {}, call_id="p")]


async def left(run: Any, is_so: Callable[[], Awaitable[bool]]) -> None:
    """Stop the process of a run, once what is waited for is so."""
    task = asyncio.ensure_future(run)
    async with asyncio.timeout(PATIENCE_S):
        while not await is_so():  # noqa: ASYNC110  # what is waited for is in a file
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def between_attempts(world: World, first: float, then: float) -> None:
    """It waits for the next attempt at a model."""
    retry = ModelRetrySettings(
        max_retries=3,
        policy=lambda _: RetryDecision(retry=True),
        backoff={"initial_delay": 0.4, "jitter": False},
    )
    settings = ModelSettings(retry=retry)
    world.set(first)
    config = world.config(on_abandon="leave")
    model = ScriptedModel([PAYS, DOWN, DOWN])
    agent = Agent(name="A", tools=[world.tool()], model=model, model_settings=settings)

    async def has_failed() -> bool:
        rows = {row.run_id for row in await config.journal.runs()}
        log = await config.journal.read("r") if "r" in rows else []
        return any(isinstance(each.event, EffectFailed) for each in log)

    await left(Runner.run(agent, "hi", run_id="r", run_config=config), has_failed)
    world.set(then)
    agent = agent.clone(model=ScriptedModel([OK]))
    result = await Runner.resume("r", agent, run_config=world.config())
    assert result.final_output == "done"


async def parked(world: World, first: float, then: float) -> None:
    """It waits for a provider, and holds no process."""
    world.set(first)
    agent = Agent(name="A", tools=[world.tool()], model=ScriptedModel([PAYS, DOWN, OK]))
    with pytest.raises(RunParked):
        await Runner.run(agent, "hi", run_id="r", run_config=world.config(on_outage="park"))
    world.set(then)
    report = await recover_runs(agent, run_config=world.config(on_outage="park"))
    if first == then:  # Not due yet, but for whoever asks for it.
        assert report == {}
        report = {"r": await Runner.resume("r", agent, run_config=world.config())}
    assert report["r"].final_output == "done"


async def waiting(world: World, first: float, then: float) -> None:
    """It waits for a person."""
    world.set(first)
    tool = world.tool(needs_approval=True)
    agent = Agent(name="A", tools=[tool], model=ScriptedModel([PAYS, OK]))
    asked = await Runner.run(agent, "hi", run_id="r", run_config=world.config())
    assert asked.interruptions
    world.set(then)
    await Runner.approve("r", "p", run_config=world.config())
    result = await Runner.resume("r", agent, run_config=world.config())
    assert result.final_output == "done"


async def spending(world: World, first: float, then: float) -> None:
    """It is under a limit that begins anew each day, and each hour, and talks in a session."""
    windows = ("hour", "day", "month")
    budgets = [Budget(requests=9, per="journal", window=window) for window in windows]
    path = world.path.with_name("sessions.db")
    for number, clock in enumerate((first, then)):
        world.set(clock)
        steps = [OK] if number else [PAYS, OK]
        agent = Agent(name="A", tools=[world.tool()], model=ScriptedModel(steps))
        config = world.config(budgets=budgets)
        session = SQLiteSession("chat", path)
        run_id = f"r{number}"
        result = await Runner.run(agent, "hi", run_id=run_id, session=session, run_config=config)
        assert result.final_output == "done"
        assert len(await session.get_items()) == 4 + 2 * number


async def jumping(world: World, first: float, then: float) -> None:
    """The clock is set while it performs a tool."""
    world.set(first)

    @function_tool
    def pay() -> str:
        world.set(then)
        world.performed.append("pay")
        return "paid"

    model = ScriptedModel([PAYS, DOWN, OK])
    agent = Agent(name="A", tools=[pay], model=model, model_settings=quick())
    result = await Runner.run(agent, "hi", run_id="r", run_config=world.config())
    assert result.final_output == "done"


def quick() -> ModelSettings:
    retry = ModelRetrySettings(
        max_retries=1,
        policy=lambda _: RetryDecision(retry=True),
        backoff={"initial_delay": 0.01, "jitter": False},
    )
    return ModelSettings(retry=retry)


DOINGS: list[Doing] = [between_attempts, parked, waiting, spending, jumping]


WRONG = [name for name in CLOCKS if name != "right"]
PAIRS = [("right", "right"), ("before the year 0", "before the year 0")]
PAIRS += [pair for each in WRONG for pair in (("right", each), (each, "right"))]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), PAIRS)
async def test_no_clock_loses_repeats_or_holds_up_a_run(first: str, then: str, tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        for doing in DOINGS:
            world = World(tmp_path / doing.__name__ / "journal.db", patch)
            world.path.parent.mkdir()
            async with asyncio.timeout(PATIENCE_S):
                await doing(world, CLOCKS[first], CLOCKS[then])
            assert world.performed == ["pay"]
            world.set(0.0)
            await everything_is_readable(world)


async def everything_is_readable(world: World) -> None:
    journal = SqliteJournal(world.path, durability="process")
    rows = await journal.runs()
    assert {row.status for row in rows} == {"completed"}
    for row in rows:
        assert utc(row.created_at).year in range(1970, 10_000)
        assert await journal.read(row.run_id)


@pytest.mark.parametrize("offset", [*CLOCKS.values(), 1e300, float("inf")], ids=str)
def test_the_wall_clock_stays_where_there_are_dates(offset: float, tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        World(tmp_path, patch).set(offset)
        said, us = wall_s(), wall_us()
    assert 0 <= said <= LATEST_S
    assert abs(us / 1e6 - said) < PATIENCE_S
    assert utc(said).year < 10_000


@pytest.mark.parametrize("offset", CLOCKS.values(), ids=CLOCKS)
def test_what_was_stored_a_moment_ago_is_never_taken_for_old(offset: float, tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        World(tmp_path, patch).set(offset)
        at = stamp()
        assert at < 2**63
        assert not is_settled(at, stamp())


ASKS = re.compile(r"\b(time\.time(_ns)?|datetime\.(now|utcnow|fromtimestamp)|time\.gmtime)\b")


def test_nothing_else_asks_the_wall_clock_or_makes_dates_of_its_times():
    package = Path(outlast.__file__).parent
    excused = {package / "definitions" / "clock.py", *(package / "demo").rglob("*.py")}
    excused |= {*(package / "testing").rglob("*.py")}
    asking = {path for path in package.rglob("*.py") if ASKS.search(path.read_text("utf-8"))}
    assert asking - excused == set()
