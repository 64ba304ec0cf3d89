"""What `agents.decorators` offers: the decorators, with `tool` as the short name of one."""

from outlast.definitions.guardrail import input_guardrail, output_guardrail
from outlast.definitions.tool import function_tool
from outlast.definitions.tool_guardrail import tool_input_guardrail, tool_output_guardrail

tool = function_tool

__all__ = [
    "function_tool",
    "input_guardrail",
    "output_guardrail",
    "tool",
    "tool_input_guardrail",
    "tool_output_guardrail",
]
