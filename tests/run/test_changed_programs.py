"""What becomes of a run that goes on under a changed program, by each policy."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from outlast import Agent, IncompatibleRun, RunConfig, Runner, function_tool
from outlast.journal.opening import open_journal
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.views.steps import timeline

PROMPT = "Refund what is broken."


def agent(
    script: list[Any],
    prompt: str | Callable[..., str] = PROMPT,
    tool: str = "pay",
    extra: bool = False,
) -> tuple[Agent[Any], ScriptedModel]:
    @function_tool(name_override=tool, needs_approval=True)
    def pay(amount: int) -> str:
        return "paid"

    @function_tool
    def look() -> str:
        return "seen"

    model = ScriptedModel(script)
    made = Agent(
        name="desk", instructions=prompt, tools=[pay, look] if extra else [pay], model=model
    )
    return made, model


@pytest.fixture
async def place(tmp_path: Any) -> str:
    """The journal of a run that waits for a person before it pays."""
    journal = str(tmp_path / "j.db")
    made, _ = agent([[function_call("pay", {"amount": 5}, call_id="c1")]])
    await Runner.run(made, "hi", run_id="r", run_config=RunConfig(journal=journal))
    await Runner.approve("r", "c1", run_config=RunConfig(journal=journal))
    return journal


async def go_on(place: str, policy: Any, **changes: Any) -> tuple[Any, ScriptedModel]:
    made, model = agent([[assistant_message("done")]], **changes)
    config = RunConfig(journal=place, on_change=policy)
    return await Runner.resume("r", made, run_config=config), model


CHANGES = [
    ({"prompt": "Refund nothing."}, "~ desk: instructions"),
    ({"extra": True}, "+ desk: tool look"),
]


@pytest.mark.parametrize("policy", ["go_on", "stop", "fork", "pin"])
async def test_an_unchanged_program_goes_on_by_every_policy(
    place: str, policy: str, caplog: pytest.LogCaptureFixture
):
    result, _ = await go_on(place, policy)
    assert (result.final_output, result.run_id) == ("done", "r")
    assert "changed" not in caplog.text


@pytest.mark.parametrize(("changes", "says"), CHANGES)
async def test_going_on_says_what_has_changed(
    place: str, changes: dict[str, Any], says: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING, "outlast.runs"):
        result, model = await go_on(place, "go_on", **changes)
    assert result.final_output == "done"
    assert f"run r goes on under a changed program: {says}" in caplog.text
    assert model.calls[0].system_instructions == changes.get("prompt", PROMPT)


@pytest.mark.parametrize(("changes", "says"), CHANGES)
async def test_stopping_leaves_the_run_as_it_was_and_shows_how(
    place: str, changes: dict[str, Any], says: str
):
    before = await open_journal(place, "power").read("r")
    with pytest.raises(IncompatibleRun) as error:
        await go_on(place, "stop", **changes)
    assert says in str(error.value)
    assert [str(each) for each in error.value.changes] == [says]
    if "prompt" in changes:
        assert error.value.changes[0].diff == f"@@ -1 +1 @@\n-{PROMPT}\n+Refund nothing."
        assert PROMPT not in str(error.value)
    assert await open_journal(place, "power").read("r") == before
    assert (await go_on(place, "stop"))[0].final_output == "done"


async def test_pinning_keeps_the_instructions_of_the_run(place: str):
    result, model = await go_on(place, "pin", prompt="Refund nothing.")
    assert result.final_output == "done"
    assert model.calls[0].system_instructions == PROMPT


async def test_forking_leaves_the_run_and_goes_on_beside_it(place: str):
    result, model = await go_on(place, "fork", prompt="Refund nothing.")
    assert result.final_output == "done"
    assert result.run_id != "r"
    assert model.calls[0].system_instructions == "Refund nothing."
    journal = open_journal(place, "power")
    assert timeline(await journal.read(result.run_id)).source == "r"
    assert timeline(await journal.read("r")).status != "completed"
    assert (await go_on(place, "stop"))[0].run_id == "r"


async def test_a_prompt_that_a_function_makes_is_not_compared(place: str):
    result, _ = await go_on(place, "stop", prompt=lambda context, agent: "anything")
    assert result.final_output == "done"


@pytest.mark.parametrize("policy", ["go_on", "stop", "fork", "pin"])
async def test_a_renamed_tool_that_a_call_needs_is_refused_by_name(place: str, policy: str):
    with pytest.raises(IncompatibleRun, match="pay"):
        await go_on(place, policy, tool="pay_back")


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="on_change"):
        RunConfig(on_change="ask")  # type: ignore[arg-type]
