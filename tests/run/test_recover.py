"""What a server does when it starts: let the runs go on that its predecessor left."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, function_tool, recover_runs
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

PROGRAM = """
import asyncio, os, signal, sys
from outlast import Agent, RunConfig, Runner, function_tool
from outlast.testing import ScriptedModel, function_call

@function_tool
async def look() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""

agent = Agent(
    name="Desk", tools=[look], model=ScriptedModel([[function_call("look", {}, call_id="c1")]])
)
asyncio.run(Runner.run(agent, "hi", run_id="left", run_config=RunConfig(journal=sys.argv[1])))
"""


@function_tool
async def look() -> str:
    """Look."""
    return "seen"


def desk() -> Agent[None]:
    return Agent(name="Desk", tools=[look], model=ScriptedModel([[assistant_message("done")]]))


async def test_interrupted_runs_go_on_and_all_others_are_left_alone(tmp_path: Path):
    journal = str(tmp_path / "journal.db")
    config = RunConfig(journal=journal)
    await Runner.run(desk(), "hi", run_id="finished", run_config=config)
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, journal)
    assert await dead.wait() == -9

    assert await recover_runs(Agent(name="Somebody else"), run_config=config) == {}
    recovered = await recover_runs(desk(), run_config=config)

    assert {run_id: result.final_output for run_id, result in recovered.items()} == {"left": "done"}
    assert await recover_runs(desk(), run_config=config) == {}


@pytest.mark.parametrize("is_told", [False, True])
async def test_an_agent_that_ran_as_a_tool_goes_on_with_the_run_that_was_interrupted(is_told: bool):
    config, began, may_end = RunConfig(journal=MemoryJournal()), asyncio.Event(), asyncio.Event()

    @function_tool
    async def wait() -> str:
        began.set()
        await may_end.wait()
        return ""

    def boss(*calls: Any) -> Agent[Any]:
        helper_script = [[each] for each in (*calls[1:], assistant_message("helped"))]
        helper = Agent[Any](name="Helper", tools=[wait], model=ScriptedModel(helper_script))
        tool = helper.as_tool("help", "", on_stream=(lambda _event: None) if is_told else None)
        script = [[each] for each in (*calls[:1], assistant_message("done"))]
        return Agent[Any](name="Boss", tools=[tool], model=ScriptedModel(script))

    first = boss(
        function_call("help", {"input": "x"}, call_id="h"), function_call("wait", {}, call_id="w")
    )
    run = asyncio.create_task(Runner.run(first, "hi", run_id="r", run_config=config))
    await began.wait()
    run.cancel()
    await asyncio.wait([run])
    may_end.set()
    result = await Runner.resume("r", boss(), run_config=config)
    assert [item.output for item in result.new_items if hasattr(item, "output")] == ["helped"]
