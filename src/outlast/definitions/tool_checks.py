"""What the settings of a function tool may be: found where it is made, and not at its first call."""

from __future__ import annotations

import math
from typing import Any

from outlast.core.errors import WrongType, WrongValue
from outlast.definitions.given import check_function, check_switch
from outlast.definitions.tool_guardrail import check_tool_guardrails


def check_tool(tool: Any) -> None:
    """Refuse a tool whose settings could not be worked with.

    Raises:
        TypeError: A setting is of another type.
        ValueError: A setting is out of range.
        UserError: A guardrail is none.
    """
    owner = f"tool {tool.name!r}"
    check_switch(f"is_enabled of {owner}", tool.is_enabled)
    check_function(f"custom_data_extractor of {owner}", tool.custom_data_extractor)
    check_tool_guardrails(owner, "input", tool.tool_input_guardrails)
    check_tool_guardrails(owner, "output", tool.tool_output_guardrails)
    _check_timeout(tool)


def _check_timeout(tool: Any) -> None:
    seconds: Any = tool.timeout_seconds
    if seconds is not None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise WrongType(
                "FunctionTool timeout_seconds must be a positive number in seconds or None, "
                f"got {seconds!r}."
            )
        if not math.isfinite(seconds):
            raise WrongValue(
                f"FunctionTool timeout_seconds must be a finite number, got {seconds}."
            )
        if seconds <= 0:
            raise WrongValue(f"FunctionTool timeout_seconds must be greater than 0, got {seconds}.")
    if tool.timeout_behavior not in ("error_as_result", "raise_exception"):
        raise WrongValue(
            "FunctionTool timeout_behavior must be one of: error_as_result, raise_exception; "
            f"got {tool.timeout_behavior!r}."
        )
    if tool.timeout_error_function is not None and not callable(tool.timeout_error_function):
        raise WrongType("FunctionTool timeout_error_function must be callable or None.")
