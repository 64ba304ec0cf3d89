"""Guardrails wrap functions, sync or async, and say which check found what."""

import pytest

from outlast.core.errors import UserError
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.guardrail import (
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    input_guardrail,
    output_guardrail,
)
from outlast.definitions.prompt import PromptUtil

CONTEXT = RunContextWrapper(None)


@input_guardrail
def plain(_context, agent, given):
    return GuardrailFunctionOutput((agent, given), tripwire_triggered=False)


@input_guardrail(name="named", run_in_parallel=False)
async def chosen(_context, _agent, _given):
    return GuardrailFunctionOutput(None, tripwire_triggered=True)


@output_guardrail(name="out")
async def after(_context, _agent, output):
    return GuardrailFunctionOutput(output, tripwire_triggered=False)


async def test_a_check_of_the_input_reports_what_it_found():
    result = await plain.run("agent", "hi", CONTEXT)
    assert result.guardrail is plain
    assert result.output.output_info == ("agent", "hi")
    assert (plain.get_name(), plain.run_in_parallel) == ("plain", True)


async def test_a_decorator_may_be_given_settings():
    assert (chosen.get_name(), chosen.run_in_parallel) == ("named", False)
    assert (await chosen.run("agent", "hi", CONTEXT)).output.tripwire_triggered


async def test_a_check_of_the_output_reports_of_what():
    result = await after.run(CONTEXT, "agent", 5)
    assert (result.agent, result.agent_output, result.output.output_info) == ("agent", 5, 5)
    assert output_guardrail(lambda *_: None).get_name() == "<lambda>"


async def test_what_cannot_be_called_is_no_check():
    with pytest.raises(UserError, match="Guardrail function must be callable, got x"):
        await InputGuardrail("x").run("agent", "hi", CONTEXT)
    with pytest.raises(UserError, match="Guardrail function must be callable, got x"):
        await OutputGuardrail("x").run(CONTEXT, "agent", "hi")


async def test_a_prompt_is_sent_with_all_its_fields():
    async def later(data):
        return {"id": data.agent, "version": "2"}

    to_input = PromptUtil.to_model_input
    assert await to_input(None, CONTEXT, "a") is None
    assert await to_input({"id": "p"}, CONTEXT, "a") == {
        "id": "p",
        "version": None,
        "variables": None,
    }
    assert (await to_input(later, CONTEXT, "a"))["id"] == "a"


@pytest.mark.parametrize("wrong", [lambda _data: 5, {"version": "1"}])
async def test_what_is_no_prompt_is_refused(wrong):
    with pytest.raises(UserError):
        await PromptUtil.to_model_input(wrong, CONTEXT, "a")
