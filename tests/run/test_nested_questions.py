"""Questions of runs inside a run, of which several may have calls of one id."""

from __future__ import annotations

import pytest

from outlast import Agent, CallNotFound, RunConfig, Runner, RunState, function_tool
from outlast.journal.memory import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


class Desk:
    """Two agents used as tools, or one twice, of which each asks for a call that its model calls `c`."""

    def __init__(self, *, is_one: bool, amounts: tuple[int, int] = (1, 2)) -> None:
        self.paid: list[int] = []
        self.config = RunConfig(journal=MemoryJournal(), tracing_disabled=True)

        @function_tool(needs_approval=True)
        def pay(amount: int) -> str:
            self.paid.append(amount)
            return "paid"

        asked = [[function_call("pay", {"amount": amount}, call_id="c")] for amount in amounts]
        done = [assistant_message("leaf")]
        scripts = [[*asked, done, done]] if is_one else [[each, done] for each in asked]
        leaves = [
            Agent(name=f"L{n}", tools=[pay], model=ScriptedModel(script))
            for n, script in enumerate(scripts)
        ]
        calls = [
            function_call(f"ask{0 if is_one else n}", {"input": "q"}, call_id=f"k{n}")
            for n in (0, 1)
        ]
        self.agent = Agent(
            name="Desk",
            tools=[leaf.as_tool(f"ask{n}", "d") for n, leaf in enumerate(leaves)],
            model=ScriptedModel([calls, [assistant_message("ok")]]),
        )


@pytest.mark.parametrize("is_one", [False, True])
async def test_each_question_of_nested_runs_is_decided_by_its_own_id(*, is_one: bool):
    desk = Desk(is_one=is_one)
    waiting = await Runner.run(desk.agent, "x", run_id="r", run_config=desk.config)
    ids = [item.question_id for item in waiting.interruptions]
    assert ids == ["r/t1.k0/c@1", "r/t1.k1/c@1"]
    with pytest.raises(CallNotFound, match="2 calls have the id"):
        await Runner.approve("r", "c", run_config=desk.config)
    for item in waiting.interruptions:
        await Runner.approve("r", item.question_id, by="ann", run_config=desk.config)
    result = await Runner.resume("r", desk.agent, run_config=desk.config)
    assert (result.final_output, sorted(desk.paid)) == ("ok", [1, 2])


async def test_the_short_id_means_the_one_call_of_that_id_that_still_waits():
    desk = Desk(is_one=False)
    waiting = await Runner.run(desk.agent, "x", run_id="r", run_config=desk.config)
    await Runner.approve("r", waiting.interruptions[0].question_id, run_config=desk.config)
    await Runner.reject("r", "c", by="bob", run_config=desk.config)
    await Runner.reject("r", "c", by="bob", run_config=desk.config)  # As it was.
    result = await Runner.resume("r", desk.agent, run_config=desk.config)
    assert (result.final_output, desk.paid) == ("ok", [1])


@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("amounts", [(1, 2), (1, 1)])
@pytest.mark.parametrize("is_one", [False, True])
async def test_a_state_decides_each_question_of_nested_runs(
    *, is_one: bool, amounts: tuple[int, int], is_stored: bool
):
    desk = Desk(is_one=is_one, amounts=amounts)
    waiting = await Runner.run(desk.agent, "x", run_id="r", run_config=desk.config)
    state = waiting.to_state()
    first, second = waiting.interruptions
    state.approve(first)
    state.reject(second)
    if is_stored:
        state = await RunState.from_string(desk.agent, state.to_string())
    result = await Runner.run(desk.agent, state, run_config=desk.config)
    assert (result.final_output, desk.paid) == ("ok", [1])


async def test_a_yes_to_one_nested_question_leaves_the_other_waiting():
    desk = Desk(is_one=True, amounts=(1, 1))
    waiting = await Runner.run(desk.agent, "x", run_id="r", run_config=desk.config)
    state = waiting.to_state()
    state.approve(waiting.interruptions[0])
    result = await Runner.run(desk.agent, state, run_config=desk.config)
    assert [item.question_id for item in result.interruptions] == ["r/t1.k1/c@1"]
    assert desk.paid == [1]
