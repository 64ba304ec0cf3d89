"""Whoever asks what a waiting run has come to leaves no trace in its log."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import Agent, RunConfig, RunIsPaused, Runner, RunParked, function_tool, recover_runs
from outlast.core.events import RunAcquired
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

PAYS, OK = [function_call("pay", {}, call_id="p")], [assistant_message("done")]
paid: list[int] = []


@function_tool(needs_approval=True)
async def pay() -> str:
    paid.append(1)
    return "paid"


async def asked(agent: Agent[Any], config: RunConfig) -> None:
    """Ask for the run in every way there is that does not decide anything."""
    for ask in (
        lambda: Runner.run(agent, "hi", run_id="r", run_config=config),
        lambda: recover_runs(agent, run_config=config),
        lambda: Runner.pending("r", run_config=config),
        lambda: Runner.decisions("r", run_config=config),
    ):
        try:
            await ask()
        except (RunParked, RunIsPaused):
            continue


def agent_of(*steps: Any) -> Agent[Any]:
    return Agent(name="desk", tools=[pay], model=ScriptedModel(list(steps)))


async def test_a_run_that_waits_for_a_person():
    config, agent = RunConfig(journal=MemoryJournal(), tracing_disabled=True), agent_of(PAYS, OK)
    paid.clear()
    await Runner.run(agent, "hi", run_id="r", run_config=config)
    await polled(agent, config)
    await Runner.resume("r", agent, run_config=config)
    await polled(agent, config)
    await Runner.approve("r", "p", run_config=config)
    result = await Runner.resume("r", agent, run_config=config)
    assert (result.final_output, paid) == ("done", [1])
    log = [each.event for each in await config.journal.read("r")]  # pyright: ignore[reportOptionalMemberAccess,reportAttributeAccessIssue]  # a journal
    assert sum(isinstance(event, RunAcquired) for event in log) == 1


async def test_a_run_that_is_parked():
    config = RunConfig(journal=MemoryJournal(), tracing_disabled=True, on_outage="park")
    agent = agent_of(ConnectionError("no route to host"), OK)
    with pytest.raises(RunParked):
        await Runner.run(agent, "hi", run_id="r", run_config=config)
    await polled(agent, config)
    assert (await Runner.resume("r", agent, run_config=config)).final_output == "done"


async def test_a_run_that_is_paused():
    config = RunConfig(journal=MemoryJournal(), tracing_disabled=True)

    @function_tool
    async def look() -> str:
        await Runner.pause("r", run_config=config)
        return "seen"

    agent = Agent(
        name="desk",
        tools=[look],
        model=ScriptedModel([[function_call("look", {}, call_id="l")], OK]),
    )
    with pytest.raises(RunIsPaused):
        await Runner.run(agent, "hi", run_id="r", run_config=config)
    await polled(agent, config)
    assert (await Runner.resume("r", agent, run_config=config)).final_output == "done"


async def polled(agent: Agent[Any], config: RunConfig) -> None:
    journal: Any = config.journal
    before = await journal.read("r")
    for _ in range(3):
        await asked(agent, config)
    assert await journal.read("r") == before
