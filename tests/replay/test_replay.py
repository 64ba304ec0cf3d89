"""A replay asks nobody: an unchanged program goes as recorded, a changed one is told where it does not."""

import socket
import sys
from typing import Any

import pytest
from desk import Desk

from outlast import Agent, RunConfig, Runner, RunNotFound, function_tool
from outlast.replay import replay
from outlast.testing import ScriptedModel, assistant_message, function_call

_opened: list[str] = []
_is_counting = [False]


def _count(event: str, arguments: Any) -> None:
    if _is_counting[0] and event.startswith("socket."):
        _opened.append(event)


sys.addaudithook(_count)


async def test_an_unchanged_program_goes_as_recorded_without_a_socket_or_a_tool(
    recorded: str, desk: Desk
):
    ran = list(desk.ran)
    _opened.clear()
    _is_counting[0] = True
    done = await replay("order-1", desk.agent(), journal=recorded)
    _is_counting[0] = False
    assert done.is_same, done.first
    assert (done.status, done.output) == ("completed", "refunded")
    assert desk.ran == ran
    assert _opened == []


async def test_a_prompt_that_a_function_makes_is_asked_for_and_may_be_the_same(
    recorded: str, desk: Desk
):
    agent = desk.agent(instructions=lambda context, agent: "You refund orders.")
    assert (await replay("order-1", agent, journal=recorded)).is_same


async def test_one_changed_instruction_is_the_first_divergence(recorded: str, desk: Desk):
    agent = desk.agent(instructions="You never refund.")
    done = await replay("order-1", agent, journal=recorded)
    first = done.first
    assert first is not None
    assert (first.place, first.what, first.turn) == ("p1", "instructions", 1)
    assert "-You refund orders.\n+You never refund." in str(first)
    assert done.status == "completed"


async def test_a_prompt_that_changes_in_the_second_turn_diverges_there(recorded: str, desk: Desk):
    def prompt(context: Any, agent: Any) -> str:
        return "You refund orders." if not context.usage.requests else "Later."

    done = await replay("order-1", desk.agent(instructions=prompt), journal=recorded)
    assert done.first is not None
    assert done.first.place == "p2"


async def test_a_renamed_tool_is_named_and_what_it_leads_to(recorded: str, desk: Desk):
    done = await replay("order-1", desk.agent(refund="pay_back"), journal=recorded)
    assert done.first is not None
    assert done.first.what == "tools"
    assert "refund" in done.first.text
    assert "pay_back" in done.first.text
    assert not done.is_same


async def test_arguments_that_a_changed_tool_would_not_take_are_named(recorded: str, desk: Desk):
    done = await replay("order-1", desk.agent(look_up_arguments=int), journal=recorded)
    assert {each.place for each in done.divergences if each.what == "arguments"} == {
        "t1.c1",
        "t1.c2",
    }


async def test_an_agent_that_is_called_something_else_diverges_at_the_start(
    recorded: str, desk: Desk
):
    agent = desk.agent()
    agent.name = "counter"
    done = await replay("order-1", agent, journal=recorded)
    assert done.first is not None
    assert done.first.what == "agent"


async def test_code_that_reaches_for_the_network_gets_an_error(recorded: str, desk: Desk):
    def prompt(context: Any, agent: Any) -> str:
        with socket.socket() as made:
            made.connect(("127.0.0.1", 9))
        return "never"

    done = await replay("order-1", desk.agent(instructions=prompt), journal=recorded)
    assert not done.is_same
    failed = [each for each in done.divergences if each.event == "run.failed"]
    assert failed


async def test_a_run_that_failed_is_replayed_to_its_failure(tmp_path: Any):
    place = str(tmp_path / "j.db")

    def agent(script: list[Any]) -> Agent[Any]:
        @function_tool(failure_error_function=None)
        def fail() -> str:
            raise ValueError("no")

        return Agent(name="a", tools=[fail], model=ScriptedModel(script))

    made = agent([[function_call("fail", {}, call_id="c")]])
    with pytest.raises(Exception, match="no"):
        await Runner.run(made, "hi", run_id="r", run_config=RunConfig(journal=place))
    done = await replay("r", agent([]), journal=place)
    assert done.is_same, done.first
    assert done.status == "failed"


@pytest.mark.parametrize("depth", [1, 2])
async def test_agents_that_are_tools_are_replayed_and_what_they_do_now_is_named(
    tmp_path: Any, depth: int
):
    place = str(tmp_path / "j.db")
    config = RunConfig(journal=place)

    def agent(prompt: str, *scripts: list[Any]) -> Agent[Any]:
        found = Agent(name="clerk", instructions=prompt, model=ScriptedModel(scripts[0]))
        for number, script in enumerate(scripts[1:]):
            tool = found.as_tool("ask", "Ask the clerk.")
            found = Agent(name=f"a{number}", tools=[tool], model=ScriptedModel(script))
        return found

    asks = [[function_call("ask", {"input": "?"}, call_id="c")], [assistant_message("so")]]
    scripts = [[[assistant_message("yes")]], *[asks] * depth]
    await Runner.run(agent("Be short.", *scripts), "hi", run_id="r", run_config=config)

    done = await replay("r", agent("Be short.", *[[]] * (depth + 1)), journal=place)
    assert done.is_same, done.first
    assert [each.is_same for each in done.inner] == [True]

    changed = await replay("r", agent("Be long.", *[[]] * (depth + 1)), journal=place)
    assert changed.first is not None
    assert changed.first.what == "instructions"
    assert changed.first.run.count("/") == depth
    assert "-Be short." in str(changed.first)


async def test_an_unknown_run_is_an_error(recorded: str, desk: Desk):
    with pytest.raises(RunNotFound):
        await replay("order-2", desk.agent(), journal=recorded)
