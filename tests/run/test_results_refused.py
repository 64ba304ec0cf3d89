"""A tool that has run is not run again because what looked at its result has failed."""

from __future__ import annotations

import dataclasses
from typing import Any, TypedDict

import pytest

from outlast import (
    Agent,
    RunConfig,
    Runner,
    ToolGuardrailFunctionOutput,
    ToolOutputGuardrailTripwireTriggered,
    UserError,
    function_tool,
    tool_output_guardrail,
)
from outlast.journal import SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


@dataclasses.dataclass
class Receipt:
    total: int


VALUES: dict[str, Any] = {
    "a text": "paid",
    "a dict": {"total": 3},
    "a class": Receipt(3),
    "nothing": None,
    "what the log cannot keep": object(),
}


class Desk:
    """An agent whose tool pays, and a guardrail that fails, or not, when it looks at the receipt."""

    def __init__(self, value: Any, policy: Any, journal: SqliteJournal) -> None:
        self.value, self.policy, self.journal = value, policy, journal
        self.config = RunConfig(journal=journal, tracing_disabled=True)
        self.paid = 0
        self.seen: list[Any] = []
        self.failure: Exception | None = RuntimeError("The checker is down.")

    def agent(self, *steps: Any) -> Agent[Any]:
        @tool_output_guardrail
        def look(data: Any) -> ToolGuardrailFunctionOutput:
            self.seen.append(data.output)
            if self.failure is not None:
                raise self.failure
            return ToolGuardrailFunctionOutput.allow()

        @function_tool(on_uncertain=self.policy, tool_output_guardrails=[look])
        def pay() -> Receipt | dict[str, int] | str | None:
            self.paid += 1
            return self.value

        return Agent(name="desk", tools=[pay], model=ScriptedModel(list(steps)))


@pytest.mark.parametrize("policy", ["retry", "once", "ask"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_a_guardrail_that_fails_is_asked_again_and_the_tool_is_not(
    value: Any, policy: str, tmp_path: Any
):
    desk = Desk(value, policy, SqliteJournal(tmp_path / "j.db", durability="process"))
    calls = [function_call("pay", {}, call_id="p")]
    with pytest.raises(RuntimeError, match="checker is down"):
        await Runner.run(desk.agent(calls), "hi", run_id="r", run_config=desk.config)
    with pytest.raises(RuntimeError, match="checker is down"):
        await Runner.resume("r", desk.agent(), run_config=desk.config)
    desk.failure = None
    done = desk.agent([assistant_message("done")])
    result = await Runner.resume("r", done, run_config=desk.config)
    assert result.final_output == "done"
    assert desk.paid == 1
    assert len(desk.seen) == 3
    is_kept = type(value) is not object
    assert all(seen == (value if is_kept else str(value)) for seen in desk.seen[1:])
    if is_kept:
        assert {type(seen) for seen in desk.seen} == {type(value)}
    items: list[Any] = result.to_input_list()
    output = next(i for i in items if i.get("type") == "function_call_output")
    assert output["output"] == str(value)


class Stock(TypedDict):
    units: int


class Mended(TypedDict):
    units: str


@pytest.mark.parametrize("policy", ["retry", "once", "ask"])
async def test_a_result_that_is_not_what_its_tool_declares_is_not_asked_for_again(
    policy: Any, tmp_path: Any
):
    config = RunConfig(journal=SqliteJournal(tmp_path / "j.db", durability="process"))
    counted: list[int] = []

    def agent(kind: Any, *steps: Any) -> Agent[Any]:
        @function_tool(output_type=kind, failure_error_function=None, on_uncertain=policy)
        def count() -> Any:
            counted.append(1)
            return {"units": "many"}

        return Agent(name="desk", tools=[count], model=ScriptedModel(list(steps)))

    first = agent(Stock, [function_call("count", {}, call_id="p")])
    with pytest.raises(UserError, match="does not match its declared output type"):
        await Runner.run(first, "hi", run_id="r", run_config=config)
    with pytest.raises(UserError, match="does not match its declared output type"):
        await Runner.resume("r", agent(Stock), run_config=config)
    mended = agent(Mended, [assistant_message("done")])
    result = await Runner.resume("r", mended, run_config=config)
    assert result.final_output == "done"
    assert counted == [1]


async def test_a_tripped_guardrail_is_final_and_keeps_nothing(tmp_path: Any):
    journal = SqliteJournal(tmp_path / "j.db", durability="process")
    config = RunConfig(journal=journal)

    @tool_output_guardrail
    def refuse(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.raise_exception(data.output)

    @function_tool(tool_output_guardrails=[refuse])
    def pay() -> str:
        return "paid"

    model = ScriptedModel([[function_call("pay", {}, call_id="p")]])
    agent = Agent(name="desk", tools=[pay], model=model)
    with pytest.raises(ToolOutputGuardrailTripwireTriggered):
        await Runner.run(agent, "hi", run_id="r", run_config=config)
    assert "StepRecorded" not in {type(e.event).__name__ for e in await journal.read("r")}
