"""A setting that cannot work is an error of the family where it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from outlast import (
    Agent,
    CircuitBreaker,
    Compaction,
    Handoff,
    ModelLimits,
    RunConfig,
    RunMetadata,
    function_tool,
    handoff,
)
from outlast.core.errors import UserError

CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


def f() -> str:
    """Do it."""
    return "done"


def tool(**options: Any) -> Any:
    return function_tool(f, **options)


def passed_on(**options: Any) -> Any:
    return handoff(Agent(name="B"), **options)


Case = tuple[Callable[..., Any], str, Any]
CASES: list[Case] = [
    (RunConfig, "guardrails_hold_tools", 0),
    (RunConfig, "guardrails_hold_tools", None),
    (RunConfig, "guardrails_hold_tools", []),
    (RunConfig, "model", 5),
    (RunConfig, "call_model_input_filter", 5),
    (RunConfig, "handoff_input_filter", 5),
    (RunConfig, "tool_error_formatter", 5),
    (RunConfig, "input_guardrails", 5),
    (RunConfig, "output_guardrails", "x"),
    (RunConfig, "durability", "x"),
    (RunConfig, "on_conflict", "x"),
    (RunConfig, "on_outage", []),
    (RunConfig, "on_abandon", 5),
    (RunConfig, "reasoning_item_id_policy", "x"),
    (RunConfig, "tool_not_found_behavior", None),
    (RunConfig, "metadata", 5),
    (RunConfig, "metadata", {"nobody": "x"}),
    (RunConfig, "metadata", {"user": 5}),
    (RunConfig, "session_settings", 5),
    (RunConfig, "model_settings", 5),
    (RunConfig, "tool_execution", {"max_function_tool_concurrency": "3"}),
    (RunMetadata, "tags", 5),
    (RunMetadata, "tags", [5]),
    (tool, "is_enabled", 5),
    (tool, "is_enabled", None),
    (tool, "name_override", 5),
    (tool, "description_override", CIRCLE),
    (tool, "failure_error_function", 5),
    (tool, "tool_input_guardrails", "x"),
    (tool, "tool_output_guardrails", [5]),
    (tool, "allowed_callers", 5),
    (tool, "allowed_callers", "direct"),
    (tool, "allowed_callers", [[]]),
    (tool, "output_type", 5),
    (tool, "on_uncertain", "x"),
    (tool, "timeout_behavior", "x"),
    (tool, "docstring_style", "x"),
    (passed_on, "is_enabled", None),
    (passed_on, "tool_name_override", 5),
    (passed_on, "input_filter", 5),
    (ModelLimits, "total", 10**400),
    (ModelLimits, "total", float("nan")),
    (ModelLimits, "tool_calls", 1.5),
    *((CircuitBreaker, "failures", each) for each in (0, "3", None, float("nan"))),
    *((Compaction, "context_tokens", each) for each in (float("nan"), float("inf"), "9", 0, None)),
]


@pytest.mark.parametrize(
    ("make", "name", "value"),
    CASES,
    ids=[f"{name}-{number}" for number, (_, name, _) in enumerate(CASES)],
)
def test_a_wrong_setting_is_refused_where_it_is_given(
    make: Callable[..., Any], name: str, value: Any
):
    with pytest.raises(UserError) as caught:
        make(**{name: value})
    assert isinstance(caught.value, TypeError | ValueError) or make is tool


def test_a_handoff_made_by_hand_is_on_or_off():
    unset: Any = None
    with pytest.raises(UserError, match="is_enabled"):
        Handoff("to_b", "", {}, unset, "B", is_enabled=unset)
