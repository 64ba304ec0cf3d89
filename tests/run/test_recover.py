"""What a server does when it starts: let the runs go on that its predecessor left."""

import asyncio
import sys
from pathlib import Path

from holdfast import Agent, RunConfig, Runner, function_tool, recover_runs
from holdfast.testing import ScriptedModel, assistant_message

PROGRAM = """
import asyncio, os, signal, sys
from holdfast import Agent, RunConfig, Runner, function_tool
from holdfast.testing import ScriptedModel, function_call

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
