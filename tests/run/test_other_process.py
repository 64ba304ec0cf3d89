"""A second process tells a run that goes on here what to do; prints how soon the run has heard it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, RunConfig, RunIsPaused, Runner, function_tool
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    CancelRequested,
    CommandTaken,
    MessageReceived,
    RunCancelled,
    RunPaused,
    RunUnpaused,
)
from outlast.journal import SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

OTHER = """
import asyncio, json, sys, time
from pathlib import Path
from outlast import AgentsException, RunConfig, Runner
from outlast.journal import SqliteJournal

async def main(path):
    config = RunConfig(journal=SqliteJournal(Path(path), durability="process"))
    print("ready", flush=True)
    for line in sys.stdin:
        name, about, more = json.loads(line)
        began = time.time()
        try:
            await getattr(Runner, name)("r", *about, **more, run_config=config)
            print(json.dumps([began, ""]), flush=True)
        except AgentsException as error:
            print(json.dumps([began, type(error).__name__]), flush=True)

asyncio.run(main(sys.argv[1]))
"""


class Other:
    """A process that tells the run something when it is asked to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def __call__(self, name: str, *about: Any, **more: Any) -> tuple[float, str]:
        """When it began, and the name of the error that it got."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{json.dumps([name, about, more])}\n".encode())
        return tuple(json.loads(await self.process.stdout.readline()))


class Here:
    """A run of this process whose tool takes as long as the test wants."""

    def __init__(self, path: Path) -> None:
        self.journal = SqliteJournal(path, durability="process")
        self.config = RunConfig(journal=self.journal)
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.model = ScriptedModel(
            [
                [function_call("look", {}, call_id="l"), function_call("pay", {}, call_id="p")],
                [assistant_message("done")],
            ]
        )

    def agent(self) -> Agent[Any]:
        @function_tool
        async def look() -> str:
            self.began.set()
            await self.may_end.wait()
            return "seen"

        @function_tool(needs_approval=True)
        async def pay() -> str:
            return "paid"

        return Agent(name="Desk", tools=[look, pay], model=self.model)

    async def heard(self, kind: type) -> float:
        """When the log had the first event of a kind."""
        async for stored in self.journal.watch("r"):
            if isinstance(stored.event, kind):
                return stored.at
        raise AssertionError


@pytest.fixture
async def here(tmp_path: Path) -> Any:
    made = Here(tmp_path / "journal.db")
    yield made
    await made.journal.close()


@pytest.fixture
async def other(tmp_path: Path, here: Here) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER, str(here.journal.path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    yield Other(process)
    process.stdin.close()
    await process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "about", "more", "kind", "ends"),
    [
        ("cancel", [], {}, RunCancelled, None),
        ("cancel", [], {"mode": "after_turn"}, CancelRequested, None),
        ("send", ["and this?"], {}, MessageReceived, "done"),
        ("approve", ["p"], {}, ApprovalDecided, "done"),
        ("reject", ["p"], {}, ApprovalDecided, "done"),
        ("pause", [], {}, RunPaused, RunIsPaused),
    ],
)
async def test_a_run_in_flight_hears_what_another_process_tells_it(  # noqa: PLR0913  # a row of the table
    here: Here, other: Other, name: str, about: Any, more: Any, kind: type, ends: Any
):
    task = asyncio.create_task(Runner.run(here.agent(), "x", run_id="r", run_config=here.config))
    await here.began.wait()
    await here.heard(ApprovalRequested)
    began, error = await other(name, *about, **more)
    took = await here.heard(kind) - began
    print(f"{name}: heard after {took * 1000:.1f} ms")
    assert error == ""
    log = [each.event for each in await here.journal.read("r")]
    assert len([event for event in log if isinstance(event, CommandTaken)]) == 1
    assert len([event for event in log if isinstance(event, kind)]) == 1
    if name not in ("approve", "reject", "pause") and kind is not RunCancelled:
        await other("reject", "p")
    here.may_end.set()
    if ends is RunIsPaused:
        with pytest.raises(RunIsPaused):
            await task
    else:
        assert (await task).final_output == ends


@pytest.mark.slow
async def test_a_run_goes_on_when_another_process_lets_it(here: Here, other: Other):
    task = asyncio.create_task(Runner.run(here.agent(), "x", run_id="r", run_config=here.config))
    await here.began.wait()
    await here.heard(ApprovalRequested)
    await other("pause")
    await other("approve", "p")
    assert not any(
        type(each.event).__name__ == "ToolReturned" for each in await here.journal.read("r")
    )
    began, _ = await other("unpause")
    took = await here.heard(RunUnpaused) - began
    print(f"unpause: heard after {took * 1000:.1f} ms")
    here.may_end.set()
    assert (await task).final_output == "done"


@pytest.mark.slow
async def test_two_processes_decide_about_a_call_and_one_wins(here: Here, other: Other):
    task = asyncio.create_task(Runner.run(here.agent(), "x", run_id="r", run_config=here.config))
    await here.began.wait()
    await here.heard(ApprovalRequested)
    mine, (_, theirs) = await asyncio.gather(
        asyncio.gather(
            Runner.approve("r", "p", by="here", run_config=here.config), return_exceptions=True
        ),
        other("reject", "p", by="other"),
    )
    said = [type(mine[0]).__name__ if mine[0] else "", theirs]
    assert sorted(said) == ["", "AlreadyDecided"]
    (decision,) = [
        each.event
        for each in await here.journal.read("r")
        if isinstance(each.event, ApprovalDecided)
    ]
    assert decision.by == ("here" if mine[0] is None else "other")
    here.may_end.set()
    await task


@pytest.mark.slow
async def test_a_run_hears_of_a_command_whoever_kills_the_process_that_posted_it(
    here: Here, other: Other
):
    task = asyncio.create_task(Runner.run(here.agent(), "x", run_id="r", run_config=here.config))
    await here.began.wait()
    began = time.time()
    assert other.process.stdin
    other.process.stdin.write(f"{json.dumps(['cancel', [], {}])}\n".encode())
    await here.heard(RunCancelled)
    other.process.kill()
    print(f"cancel: heard after {(time.time() - began) * 1000:.1f} ms")
    assert (await task).final_output is None
