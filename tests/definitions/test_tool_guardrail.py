"""Guardrails of tools, as they are defined."""

from typing import Any

import pytest

from outlast.core.errors import UserError
from outlast.definitions.context import ToolContext
from outlast.definitions.tool_guardrail import (
    ToolGuardrailFunctionOutput as Verdict,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    ToolOutputGuardrail,
    ToolOutputGuardrailData,
    tool_input_guardrail,
    tool_output_guardrail,
)

CONTEXT = ToolContext(None, tool_name="t", tool_call_id="c", tool_arguments="{}")
INPUT = ToolInputGuardrailData(CONTEXT, None)
OUTPUT = ToolOutputGuardrailData(CONTEXT, None, "out")


@tool_input_guardrail
def refuse(data: ToolInputGuardrailData) -> Verdict:
    return Verdict.reject_content(data.context.tool_name)


@tool_output_guardrail(name="named")
async def stop(data: ToolOutputGuardrailData) -> Verdict:
    return Verdict.raise_exception(data.output)


async def test_a_guardrail_decides():
    assert (await refuse.run(INPUT)).behavior == {"type": "reject_content", "message": "t"}
    assert (await stop.run(OUTPUT)).output_info == "out"


def test_a_guardrail_is_named_after_its_function_or_as_it_says():
    assert (refuse.get_name(), stop.get_name()) == ("refuse", "named")
    assert tool_input_guardrail(name="x")(lambda _: Verdict.allow()).get_name() == "x"
    assert tool_output_guardrail(lambda _: Verdict.allow()).get_name() == "<lambda>"


def test_a_verdict_allows_by_default():
    assert Verdict(None).behavior == Verdict.allow().behavior == {"type": "allow"}


@pytest.mark.parametrize(
    ("kind", "data"), [(ToolInputGuardrail, INPUT), (ToolOutputGuardrail, OUTPUT)]
)
async def test_a_guardrail_is_a_function(kind: Any, data: Any):
    with pytest.raises(UserError, match="must be callable"):
        await kind("text").run(data)
