"""Runs say in the logs what becomes of them, each with its id."""

import asyncio
import logging
import sys

import pytest

from outlast import (
    Agent,
    ModelRetrySettings,
    ModelSettings,
    RunConfig,
    Runner,
    function_tool,
    recover_runs,
)
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

DYING = """
import asyncio, os, signal, sys
from outlast import Agent, RunConfig, Runner, function_tool
from outlast.testing import ScriptedModel, function_call

@function_tool
async def look() -> str:
    '''Look.'''
    os.kill(os.getpid(), signal.SIGKILL)
    return ""

agent = Agent(name="Desk", tools=[look], model=ScriptedModel([[function_call("look", {}, call_id="c1")]]))
asyncio.run(Runner.run(agent, "hi", run_id="order-17", run_config=RunConfig(journal=sys.argv[1])))
"""


@function_tool
async def look() -> str:
    """Look."""
    return "seen"


def desk(*steps, **more):
    return Agent(name="Desk", model=ScriptedModel([*steps, [assistant_message("done")]]), **more)


@pytest.fixture
def said(caplog):
    """What the logger of runs has said, from INFO on."""
    caplog.set_level(logging.INFO, "outlast.runs")
    return lambda: [record.getMessage() for record in caplog.records]


def in_memory():
    return RunConfig(journal=MemoryJournal())


async def test_a_run_says_that_it_starts_and_ends(said):
    await Runner.run(desk(), "hi", run_id="order-17", run_config=in_memory())
    assert said() == ["run order-17 started with agent Desk", "run order-17 completed"]


async def test_a_tool_that_raises_is_said_by_its_name_and_the_errors_class(said):
    @function_tool
    async def refund() -> str:
        """Refund."""
        raise ConnectionError("card 4242 declined")

    agent = desk([function_call("refund", {}, call_id="c1")], tools=[refund])
    await Runner.run(agent, "hi", run_id="order-17", run_config=in_memory())
    assert "run order-17 told its model that tool refund failed: ConnectionError" in said()
    assert "4242" not in "".join(said())


async def test_a_run_that_fails_and_one_that_goes_on_say_so(said):
    config, agent = in_memory(), desk([function_call("look", {}, call_id="c1")], tools=[look])
    with pytest.raises(Exception, match="Max turns"):
        await Runner.run(agent, "hi", max_turns=1, run_id="order-17", run_config=config)
    await Runner.run(agent, "hi", max_turns=5, run_id="order-17", run_config=config)
    _, failed, goes_on, *_, last = said()
    assert failed == "run order-17 failed: MaxTurnsExceeded"
    assert goes_on == "run order-17 had ended, and goes on"
    assert last == "run order-17 completed"


async def test_a_model_call_that_is_made_again_is_said(said):
    settings = ModelSettings(
        retry=ModelRetrySettings(
            max_retries=1, policy=lambda _: True, backoff={"initial_delay": 0.0}
        )
    )
    agent = desk(ConnectionError("down"), model_settings=settings)
    await Runner.run(agent, "hi", run_id="order-17", run_config=in_memory())
    (line,) = [line for line in said() if "tries again" in line]
    assert line.startswith("run order-17 failed at m1")
    assert line.endswith(": ConnectionError")


async def test_a_run_that_is_recovered_says_so_and_that_it_was_taken_up(said, tmp_path):
    journal = str(tmp_path / "journal.db")
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", DYING, journal)
    assert await dead.wait() == -9
    await recover_runs(desk(tools=[look]), run_config=RunConfig(journal=journal))
    first, second, *_, last = said()
    assert first == "run order-17 was found interrupted, and goes on"
    assert second.startswith("run order-17 was taken up again by ")
    assert last == "run order-17 completed"


async def test_a_run_that_does_not_go_on_says_of_what(said, tmp_path):
    journal = str(tmp_path / "journal.db")
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", DYING, journal)
    assert await dead.wait() == -9
    await recover_runs(desk(), run_config=RunConfig(journal=journal))  # Its tool is gone.
    assert "run order-17 did not go on: IncompatibleRun" in said()
