"""Whoever asked for a run goes away: the log says so, and the run does what its settings say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, function_tool, recover_runs
from outlast.core.events import RunAbandoned, RunAcquired, RunCancelled, RunCompleted
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class Slow:
    """An agent whose tool waits until it is let go, and the ways to leave its run."""

    def __init__(self, on_abandon: str | None) -> None:
        self.journal = MemoryJournal()
        self.config = RunConfig(journal=self.journal, on_abandon=on_abandon)  # pyright: ignore[reportArgumentType]  # one of the three
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.performed = 0

    def agent(self, *, is_told: bool = False) -> Agent[Any]:
        @function_tool
        async def work() -> str:
            self.performed += 1
            self.began.set()
            await self.may_end.wait()
            return "worked"

        call = [] if is_told else [[function_call("work", {}, call_id="c")]]
        model = ScriptedModel([*call, [assistant_message("done")]])
        return Agent(name="Slow", tools=[work], model=model)

    async def timed_out(self) -> None:
        run = Runner.run(self.agent(), "go", run_id="r", run_config=self.config)
        task = asyncio.create_task(run)
        await self.began.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(task, 0)

    async def cancelled(self) -> None:
        run = Runner.run(self.agent(), "go", run_id="r", run_config=self.config)
        task = asyncio.create_task(run)
        await self.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def tab_closed(self) -> None:
        async def read() -> None:
            result = Runner.run_streamed(self.agent(), "go", run_id="r", run_config=self.config)
            async for _ in result.stream_events():
                pass

        task = asyncio.create_task(read())
        await self.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def loop_left(self) -> None:
        result = Runner.run_streamed(self.agent(), "go", run_id="r", run_config=self.config)
        events = result.stream_events()
        async for _ in events:
            break
        await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]  # it is a generator

    async def status(self) -> str:
        (run,) = await self.journal.runs()
        return run.status + " here" * run.owner_alive

    async def settled(self) -> None:
        """Wait until this process is done with the run."""
        async with asyncio.timeout(60):
            while (await self.status()).endswith("here"):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0)

    async def events(self) -> list[Any]:
        return [each.event for each in await self.journal.read("r")]


BY_CALL = [Slow.timed_out, Slow.cancelled]
BY_READER = [Slow.tab_closed, Slow.loop_left]


@pytest.mark.parametrize(
    ("leave", "policy"),
    [
        *[(leave, policy) for leave in BY_CALL for policy in (None, "leave")],
        *[(leave, "leave") for leave in BY_READER],
    ],
)
async def test_a_run_that_is_left_stops_and_nobody_goes_on_with_it_until_asked(
    leave: Any, policy: str | None
):
    slow = Slow(policy)
    await leave(slow)
    await slow.settled()
    assert await slow.status() == "abandoned"
    assert (await slow.events())[-1] == RunAbandoned("leave")
    assert await recover_runs(slow.agent(is_told=True), run_config=slow.config) == {}
    assert await slow.status() == "abandoned"
    slow.may_end.set()
    result = await Runner.resume("r", slow.agent(is_told=True), run_config=slow.config)
    assert (result.final_output, await slow.status()) == ("done", "completed")


@pytest.mark.parametrize(
    ("leave", "policy"),
    [
        *[(Slow.tab_closed, policy) for policy in (None, "finish")],
        *[(leave, "finish") for leave in BY_CALL],
    ],
)
async def test_a_run_that_is_to_finish_goes_on_in_this_process(leave: Any, policy: str | None):
    slow = Slow(policy)
    await leave(slow)
    assert await slow.status() == "running here"
    slow.may_end.set()
    await slow.settled()
    events = await slow.events()
    assert events[-1] == RunCompleted()
    assert RunAbandoned("finish") in events
    assert slow.performed == 1
    assert not any(isinstance(event, RunAcquired) for event in events)


@pytest.mark.parametrize("leave", [*BY_CALL, *BY_READER])
async def test_a_run_that_is_to_be_cancelled_ends_with_its_caller(leave: Any):
    slow = Slow("cancel")
    await leave(slow)
    await slow.settled()
    assert await slow.status() == "cancelled"
    assert sum(isinstance(event, RunCancelled) for event in await slow.events()) == 1
    assert await recover_runs(slow.agent(is_told=True), run_config=slow.config) == {}


@pytest.mark.parametrize("policy", ["finish", "leave", "cancel"])
async def test_a_run_that_is_read_to_its_end_is_not_abandoned(policy: str):
    slow = Slow(policy)
    slow.may_end.set()
    result = Runner.run_streamed(slow.agent(), "go", run_id="r", run_config=slow.config)
    async for _ in result.stream_events():
        pass
    again = await Runner.run(slow.agent(), "go", run_id="r", run_config=slow.config)
    assert again.final_output == "done"
    assert not any(isinstance(event, RunAbandoned) for event in await slow.events())


async def test_a_run_that_fails_with_nobody_there_is_logged_and_leaves_no_loose_end(caplog: Any):
    slow = Slow("finish")
    agent = slow.agent()
    agent.model = ScriptedModel(
        [[function_call("work", {}, call_id="c")], [function_call("no", {}, call_id="n")]]
    )
    run = Runner.run(agent, "go", run_id="r", run_config=slow.config)
    task = asyncio.create_task(run)
    await slow.began.wait()
    task.cancel()
    await asyncio.wait([task])
    slow.may_end.set()
    await slow.settled()
    await asyncio.sleep(0)
    assert await slow.status() == "failed"
    assert "A run that nobody waits for failed" in caplog.text


# --- The process ends. -------------------------------------------------------------------

PROGRAM = """
import asyncio, os, signal, sys
from outlast import Agent, RunConfig, Runner, function_tool
from outlast.testing import ScriptedModel, function_call

@function_tool
async def work() -> str:
    if sys.argv[2] != "end":
        os.kill(os.getpid(), signal.SIGINT)
    began.set()
    await asyncio.sleep(60)
    return ""

agent = Agent(name="Slow", tools=[work], model=ScriptedModel([[function_call("work", {}, call_id="c")]]))
config = RunConfig(journal=sys.argv[1], on_abandon=sys.argv[3] or None)

async def main():
    global began
    began = asyncio.Event()
    run = asyncio.create_task(Runner.run(agent, "go", run_id="r", run_config=config))
    await began.wait()
    run.cancel()
    await asyncio.wait([run])

if sys.argv[2] == "sync":
    began = asyncio.Event()
    Runner.run_sync(agent, "go", run_id="r", run_config=config)
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["end", "interrupt", "sync"])
@pytest.mark.parametrize(
    ("policy", "status"), [("", "abandoned"), ("finish", "running"), ("cancel", "cancelled")]
)
def test_a_process_that_ends_leaves_the_fact_and_no_warning(
    tmp_path: Path, way: str, policy: str, status: str
):
    place = str(tmp_path / "journal.db")
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", PROGRAM, place, way, policy],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "destroyed" not in ended.stderr
    assert "never" not in ended.stderr
    from outlast.journal import SqliteJournal

    journal = SqliteJournal(Path(place))
    (run,) = asyncio.run(journal.runs())
    log = asyncio.run(journal.read("r"))
    journal.shut()
    assert (run.status, run.owner_alive) == (status, False)
    last = RunCancelled if policy == "cancel" else RunAbandoned
    assert isinstance(log[-1].event, last)
