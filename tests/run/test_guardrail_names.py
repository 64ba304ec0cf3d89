"""An error of a guardrail says which guardrail it was, in this process and in another one."""

from __future__ import annotations

from typing import Any

import pytest

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    RunConfig,
    Runner,
    ToolGuardrailFunctionOutput,
    function_tool,
    input_guardrail,
    output_guardrail,
    tool_input_guardrail,
    tool_output_guardrail,
)
from outlast.journal import SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call

CALL, OK = [function_call("pay", {}, call_id="p")], [assistant_message("done")]


def ends(how: str) -> Any:
    if how == "raises":
        raise ValueError("no database")
    return GuardrailFunctionOutput(None, True)


def tool_ends(how: str) -> Any:
    if how == "raises":
        raise ValueError("no database")
    return ToolGuardrailFunctionOutput.raise_exception()


def agent_of(place: str, how: str) -> Agent[Any]:
    @input_guardrail
    def strict(*_: Any) -> Any:
        return ends(how)

    @output_guardrail(name="strict")
    def strict_output(*_: Any) -> Any:
        return ends(how)

    @tool_input_guardrail(name="strict")
    def strict_call(_: Any) -> Any:
        return tool_ends(how)

    @tool_output_guardrail(name="strict")
    def strict_result(_: Any) -> Any:
        return tool_ends(how)

    @function_tool(
        tool_input_guardrails=[strict_call] if place == "tool input" else [],
        tool_output_guardrails=[strict_result] if place == "tool output" else [],
    )
    def pay() -> str:
        return "paid"

    return Agent(
        name="desk",
        tools=[pay],
        input_guardrails=[strict] if place == "input" else [],
        output_guardrails=[strict_output] if place == "output" else [],
        model=ScriptedModel([CALL, OK] if place.startswith("tool") else [OK]),
    )


@pytest.mark.parametrize("place", ["input", "output", "tool input", "tool output"])
@pytest.mark.parametrize("how", ["trips", "raises"])
async def test_its_name_is_a_note_on_the_error(place: str, how: str, tmp_path: Any):
    for _ in range(2):  # The second time the log alone says it.
        journal = SqliteJournal(tmp_path / "j.db", durability="process")
        config = RunConfig(journal=journal, tracing_disabled=True)
        with pytest.raises(Exception, match=r"tripwire|no database") as caught:
            await Runner.run(agent_of(place, how), "hi", run_id="r", run_config=config)
        notes = caught.value.__notes__
        assert [note for note in notes if "guardrail" in note] == ["The guardrail is 'strict'."]
        await journal.close()
