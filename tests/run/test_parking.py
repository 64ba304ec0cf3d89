"""A run whose provider is down waits for it without a process, where it is told to."""

from __future__ import annotations

import pickle
import time
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, RunParked, function_tool, recover_runs
from outlast.core.events import EffectFailed, RunParked as Parked
from outlast.core.failing import LONGEST_PARK_S, is_due, park_wait
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

DOWN = ConnectionError("no route to host")
OK = [assistant_message("done")]


def parking(journal: Any, **options: Any) -> RunConfig:
    return RunConfig(journal=journal, on_outage="park", **options)


async def parks(journal: Any, run_id: str = "r") -> list[Parked]:
    return [e.event for e in await journal.read(run_id) if isinstance(e.event, Parked)]


async def status(journal: Any) -> str:
    return next(run.status for run in await journal.runs() if run.run_id == "r")


async def test_an_outage_parks_the_run_and_holds_nothing():
    journal = MemoryJournal()
    agent = Agent(name="desk", model=ScriptedModel([DOWN, OK]))
    began = time.time()
    with pytest.raises(RunParked) as caught:
        await Runner.run(agent, "hi", run_id="r", run_config=parking(journal))
    took = time.time() - began
    assert took < 20
    assert caught.value.run_id == "r"
    assert 25 < caught.value.retry_at - began < 34 + took
    (run,) = await journal.runs()
    assert (run.status, run.owner_alive) == ("parked", False)
    assert pickle.loads(pickle.dumps(caught.value)).retry_at == caught.value.retry_at


async def test_the_same_call_before_its_time_asks_nobody():
    journal = MemoryJournal()
    agent = Agent(name="desk", model=ScriptedModel([DOWN, OK]))
    for _ in range(3):
        with pytest.raises(RunParked):
            await Runner.run(agent, "hi", run_id="r", run_config=parking(journal))
    assert len(await parks(journal)) == 1
    assert len([e for e in await journal.read("r") if isinstance(e.event, EffectFailed)]) == 1


async def test_resume_does_not_wait():
    journal = MemoryJournal()
    agent = Agent(name="desk", model=ScriptedModel([DOWN, OK]))
    with pytest.raises(RunParked):
        await Runner.run(agent, "hi", run_id="r", run_config=parking(journal))
    result = await Runner.resume("r", agent, run_config=parking(journal))
    assert result.final_output == "done"
    assert await status(journal) == "completed"


async def test_the_waits_grow_and_are_bounded():
    journal = MemoryJournal()
    agent = Agent(name="desk", model=ScriptedModel([DOWN] * 4 + [OK]))
    for _ in range(4):
        with pytest.raises(RunParked):
            await Runner.resume(
                "r", agent, run_config=parking(journal)
            ) if await journal.runs() else (
                await Runner.run(agent, "hi", run_id="r", run_config=parking(journal))
            )
    waits = [each.wait_s for each in await parks(journal)]
    assert waits == sorted(waits)
    assert [each.number for each in await parks(journal)] == [1, 2, 3, 4]
    assert [park_wait(n) for n in (1, 2, 3)] == [30, 60, 120]
    assert park_wait(9) == park_wait(400) == LONGEST_PARK_S


async def test_a_run_in_a_tool_parks_the_run_around_it():
    journal, done = MemoryJournal(), []

    @function_tool
    def note() -> str:
        done.append(1)
        return "noted"

    inner = Agent(
        name="inner",
        tools=[note],
        model=ScriptedModel([[function_call("note", {}, call_id="n")], DOWN, OK]),
    )
    steps = [[function_call("ask", {"input": "x"}, call_id="c")], [assistant_message("all done")]]
    outer = Agent(name="outer", tools=[inner.as_tool("ask", "Ask.")], model=ScriptedModel(steps))
    with pytest.raises(RunParked) as caught:
        await Runner.run(outer, "hi", run_id="r", run_config=parking(journal))
    assert caught.value.run_id == "r"
    assert await status(journal) == "parked"
    result = await Runner.resume("r", outer, run_config=parking(journal))
    assert result.final_output == "all done"
    assert done == [1]


async def test_recovery_goes_on_when_it_is_due_and_not_before(monkeypatch: pytest.MonkeyPatch):
    journal = MemoryJournal()
    agent = Agent(name="desk", model=ScriptedModel([DOWN, OK]))
    with pytest.raises(RunParked):
        await Runner.run(agent, "hi", run_id="r", run_config=parking(journal))
    assert await recover_runs(agent, run_config=parking(journal)) == {}
    later = time.time() + 40
    monkeypatch.setattr(time, "time", lambda: later)
    report = await recover_runs(agent, run_config=parking(journal))
    assert report["r"].final_output == "done"


async def test_a_stream_says_so_too():
    journal = MemoryJournal()
    agent = Agent(name="desk", model=ScriptedModel([DOWN]))
    result = Runner.run_streamed(agent, "hi", run_id="r", run_config=parking(journal))
    with pytest.raises(RunParked):
        async for _ in result.stream_events():
            pass


async def test_what_is_no_outage_fails():
    journal = MemoryJournal()
    agent = Agent(name="desk", model=ScriptedModel([ValueError("a bug")]))
    with pytest.raises(ValueError, match="a bug"):
        await Runner.run(agent, "hi", run_id="r", run_config=parking(journal))


async def test_by_default_an_outage_fails_the_run():
    agent = Agent(name="desk", model=ScriptedModel([DOWN]))
    with pytest.raises(ConnectionError):
        await Runner.run(agent, "hi", run_id="r", run_config=RunConfig(journal=MemoryJournal()))


def test_a_clock_that_was_wrong_parks_nothing_for_a_year():
    year, now = 365 * 86_400.0, 1_800_000_000.0
    assert is_due(Parked("k.m1.1", "m1", now + year + 30, 30.0), now)
    assert is_due(Parked("k.m1.1", "m1", now - year + 30, 30.0), now)
    assert not is_due(Parked("k.m1.1", "m1", now + 30, 30.0), now)
    assert not is_due(Parked("k.m1.1", "m1", now + 50, 30.0), now)  # The clocks differ a little.
