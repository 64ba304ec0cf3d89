"""A fork is the other run up to a step: nothing before it is performed again."""

from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from outlast import Agent, RunConfig, RunConflict, Runner, Usage, UserError
from outlast.core.events import RunForked
from outlast.journal.opening import open_journal
from outlast.replay import diff, fork
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call


async def go_on(run_id: str, desk: Desk, place: str, script: list[Any]) -> Any:
    agent = desk.agent(ScriptedModel(script))
    return await Runner.resume(run_id, agent, run_config=RunConfig(journal=place))


@pytest.mark.parametrize("at", ["m1", "p1"])
async def test_a_fork_at_the_first_model_call_asks_anew(recorded: str, desk: Desk, at: str):
    desk.ran.clear()
    made = await fork("order-1", at, journal=recorded)
    assert (await go_on(made, desk, recorded, [[assistant_message("no")]])).final_output == "no"
    assert desk.ran == []


async def test_a_fork_later_keeps_what_came_before(recorded: str, desk: Desk):
    desk.ran.clear()
    made = await fork("order-1", "m2", journal=recorded, new_id="other")
    assert made == "other"
    result = await go_on(made, desk, recorded, [[assistant_message("I cannot.")]])
    assert result.final_output == "I cannot."
    assert desk.ran == []
    outputs = [item["output"] for item in result.to_input_list() if "output" in item]
    assert outputs == ["A-1 is broken", "A-2 is broken"]


async def test_a_calls_result_is_replaced_and_its_sibling_keeps_its_own(recorded: str, desk: Desk):
    desk.ran.clear()
    made = await fork("order-1", "t1.c1", result="no such order", journal=recorded)
    result = await go_on(made, desk, recorded, [[assistant_message("Sorry.")]])
    assert desk.ran == []
    outputs = [item["output"] for item in result.to_input_list() if "output" in item]
    assert outputs == ["no such order", "A-2 is broken"]


async def test_a_call_is_made_again_and_only_that_one(recorded: str, desk: Desk):
    desk.ran.clear()
    made = await fork("order-1", "t1.c2", journal=recorded)
    await go_on(made, desk, recorded, [[assistant_message("Sorry.")]])
    assert desk.ran == ["look_up A-2"]


async def test_a_reply_a_message_and_the_input_are_changed(recorded: str, desk: Desk):
    said = await fork("order-1", "m2", reply="Nothing to do.", journal=recorded)
    assert (await go_on(said, desk, recorded, [])).final_output == "Nothing to do."
    told = await fork("order-1", "m2", message="And hurry.", journal=recorded)
    result = await go_on(told, desk, recorded, [[assistant_message("Quick.")]])
    assert {"role": "user", "content": "And hurry."} in result.to_input_list()
    asked = await fork("order-1", "m1", input="refund B-7", journal=recorded)
    result = await go_on(asked, desk, recorded, [[assistant_message("ok")]])
    assert result.to_input_list()[0]["content"] == "refund B-7"


async def test_a_fork_says_where_it_comes_from_and_leaves_that_run_alone(recorded: str):
    journal = open_journal(recorded, "power")
    before = [each.event for each in await journal.read("order-1")]
    made = await fork("order-1", "m3", journal=recorded)
    lineage = [e.event for e in await journal.read(made) if isinstance(e.event, RunForked)]
    assert [each.source for each in lineage] == ["order-1"]
    assert [each.event for each in await journal.read("order-1")] == before


@pytest.mark.parametrize(
    ("at", "changes", "says"),
    [
        ("m9", {}, "no step 'm9'"),
        ("nonsense", {}, "no step"),
        ("m1", {"result": "x"}, "Only a call has a result"),
        ("t1.c1", {"reply": "x"}, "Only a model replies"),
        ("m2", {"input": "x"}, "Fork at 'm1'"),
    ],
)
async def test_what_does_not_belong_to_a_step_is_refused(
    recorded: str, at: str, changes: dict[str, str], says: str
):
    with pytest.raises(UserError, match=says):
        await fork("order-1", at, journal=recorded, **changes)


async def test_the_id_of_a_run_that_exists_is_refused(recorded: str):
    with pytest.raises(RunConflict):
        await fork("order-1", "m1", new_id="order-1", journal=recorded)


async def test_two_runs_are_compared(recorded: str, desk: Desk):
    made = await fork("order-1", "t1.c1", result="no such order", journal=recorded)
    await go_on(made, desk, recorded, [[assistant_message("Sorry.")]])
    found = await diff("order-1", made, journal=recorded)
    assert found.output == ("refunded", "Sorry.")
    assert not found.is_same
    first = found.steps[0]
    assert (first.place, first.name) == ("t1.c1", "look_up")
    assert "no such order" in first.after
    assert (await diff("order-1", "order-1", journal=recorded)).is_same
    assert "-refunded" in str(found)


async def test_costs_of_runs_and_of_runs_inside_them_are_compared_by_one_table(tmp_path: Path):
    place = str(tmp_path / "j.db")
    config = RunConfig(journal=place)
    used = Usage(requests=1, input_tokens=1_000_000, total_tokens=1_000_000)

    def agent(*models: str) -> Agent[None]:
        found: Agent[None] | None = None
        for model in models:
            script: list[Any] = [ModelStep(output=[assistant_message("done")], usage=used)]
            if found is not None:
                script.insert(0, [function_call("ask", {"input": "?"}, call_id="c")])
            tools = [] if found is None else [found.as_tool("ask", "Asks another agent.")]
            found = Agent(name=model, tools=tools, model=Named(model, script))
        assert found is not None
        return found

    await Runner.run(agent("gpt-4.1"), "hi", run_id="one", run_config=config)
    await Runner.run(agent("gpt-4.1", "gpt-4.1-mini"), "hi", run_id="two", run_config=config)
    found = await diff("one", "two", journal=place)
    assert found.cost == pytest.approx((2.0, 2.4))
    await Runner.run(agent("nobodys"), "hi", run_id="three", run_config=config)
    assert (await diff("one", "three", journal=place)).cost[1] is None


class Named(ScriptedModel):
    """A script under the name of a model, by which prices go."""

    def __init__(self, model: str, steps: list[Any]) -> None:
        super().__init__(steps)
        self.model = model


@pytest.mark.parametrize(
    ("at", "changed"),
    [
        (5, {}),
        (None, {}),
        ("t1.c1", {"result": float("nan")}),
        ("m2", {"reply": 7}),
        ("m2", {"message": []}),
    ],
)
async def test_what_is_no_text_changes_nothing(recorded: str, at: Any, changed: Any):
    with pytest.raises(UserError, match="must be a text"):
        await fork("order-1", at, journal=recorded, **changed)
