"""A run inside a tool is a part of the tool's work: it has the identity of its place."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    RunConfig,
    Runner,
    ToolContext,
    function_tool,
    input_guardrail,
    recover_runs,
)
from outlast.core.events import ChildStarted
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class Refunds:
    """A boss whose tool begins runs of a helper that refunds; the first attempt can hang midway."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.hangs = True
        self.began = asyncio.Event()
        self.config = RunConfig(journal=MemoryJournal())

    def helper(self) -> Agent[Any]:
        @function_tool
        async def refund(ctx: ToolContext[Any]) -> str:
            self.keys.append(ctx.idempotency_key)
            if self.hangs:
                self.began.set()
                await asyncio.Event().wait()
            return "refunded"

        script = [[function_call("refund", {}, call_id="r")], [assistant_message("helped")]]
        return Agent(name="Helper", tools=[refund], model=ScriptedModel(script))

    def boss(self, *inputs: str, told: bool = False) -> Agent[Any]:
        @function_tool
        async def research() -> str:
            runs = [Runner.run(self.helper(), each) for each in inputs]
            return " ".join(str(each.final_output) for each in await asyncio.gather(*runs))

        call = [function_call("research", {}, call_id="c")]
        script = [[assistant_message("done")]] if told else [call, [assistant_message("done")]]
        return Agent(name="Boss", tools=[research], model=ScriptedModel(script))

    async def cut_off(self, *inputs: str) -> None:
        run = Runner.run(self.boss(*inputs), "go", run_id="r", run_config=self.config)
        task = asyncio.create_task(run)
        await self.began.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        self.hangs = False


@pytest.mark.parametrize("inputs", [("a",), ("a", "b", "c"), ("a", "a"), ("b", "a", "b")])
async def test_nested_runs_go_on_with_their_parent_under_the_keys_they_had(inputs: tuple[str, ...]):
    case = Refunds()
    await case.cut_off(*inputs)
    for run in await case.config.journal.runs(status="abandoned"):
        assert not run.parent
    result = await Runner.resume("r", case.boss(*inputs, told=True), run_config=case.config)
    assert result.final_output == "done"
    assert len(set(case.keys)) == len(inputs)
    assert len(await case.config.journal.runs()) == 1 + len(inputs)


async def test_nested_runs_are_not_recovered_by_themselves():
    case = Refunds()
    await case.cut_off("a", "b")
    assert await recover_runs(case.helper(), run_config=case.config) == {}
    nested = [run for run in await case.config.journal.runs() if run.parent]
    assert {run.parent for run in nested} == {"r"}


async def test_the_log_of_the_parent_names_the_runs_inside_it():
    case = Refunds()
    case.hangs = False
    await Runner.run(case.boss("a", "b"), "go", run_id="r", run_config=case.config)
    log = [each.event for each in await case.config.journal.read("r")]
    named = {event.run_id for event in log if isinstance(event, ChildStarted)}
    assert named == {run.run_id for run in await case.config.journal.runs() if run.parent}
    assert Counter(name.rpartition("/")[0] for name in named) == {"r/t1.c": 2}


async def test_a_run_in_a_blocking_tool_is_kept_beside_its_parent_too():
    config = RunConfig(journal=MemoryJournal())
    helper = Agent(name="Helper", model=ScriptedModel([[assistant_message("helped")]]))

    @function_tool
    def ask() -> str:
        return str(Runner.run_sync(helper, "inner").final_output)

    script = [[function_call("ask", {}, call_id="c")], [assistant_message("done")]]
    agent = Agent(name="Boss", tools=[ask], model=ScriptedModel(script))
    await Runner.run(agent, "go", run_id="r", run_config=config)
    assert [run.parent for run in await config.journal.runs() if run.run_id != "r"] == ["r"]
    log = [each.event for each in await config.journal.read("r")]
    assert [event.id for event in log if isinstance(event, ChildStarted)] == ["t1.c"]


async def test_a_run_in_a_guardrail_is_a_part_of_the_run_that_it_guards():
    config = RunConfig(journal=MemoryJournal())
    judge = Agent(name="Judge", model=ScriptedModel([[assistant_message("fine")]]))

    @input_guardrail(run_in_parallel=False)
    async def polite(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        said = await Runner.run(judge, given, context=context.context)
        return GuardrailFunctionOutput(said.final_output, tripwire_triggered=False)

    model = ScriptedModel([[assistant_message("done")]])
    agent = Agent[Any](name="Boss", input_guardrails=[polite], model=model)
    await Runner.run(agent, "go", run_id="r", run_config=config)
    assert [run.parent for run in await config.journal.runs() if run.agent == "Judge"] == ["r"]


async def test_what_a_tool_leaves_running_is_a_run_of_its_own():
    config, later = RunConfig(journal=MemoryJournal()), asyncio.Event()
    helper = Agent(name="Helper", model=ScriptedModel([[assistant_message("helped")]]))
    left: list[asyncio.Task[Any]] = []

    async def job() -> None:
        await later.wait()
        await Runner.run(helper, "inner", run_config=config)

    @function_tool
    async def begin() -> str:
        left.append(asyncio.create_task(job()))
        return "begun"

    script = [[function_call("begin", {}, call_id="c")], [assistant_message("done")]]
    agent = Agent(name="Boss", tools=[begin], model=ScriptedModel(script))
    await Runner.run(agent, "go", run_id="r", run_config=config)
    later.set()
    await asyncio.wait(left)
    assert [run.parent for run in await config.journal.runs() if run.agent == "Helper"] == [""]
