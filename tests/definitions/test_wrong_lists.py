"""Every list of an agent, with every kind of thing that belongs elsewhere: refused, with where it belongs."""

from __future__ import annotations

import types
from typing import Any

import pytest

from outlast import (
    Agent,
    RunConfig,
    UserError,
    WebSearchTool,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
    tool_input_guardrail,
    tool_output_guardrail,
)


@function_tool
def look_up(name: str) -> str:
    raise NotImplementedError


def check(ctx: Any, agent: Any, given: Any) -> Any:
    raise NotImplementedError


def check_call(data: Any) -> Any:
    raise NotImplementedError


class Server:
    name = "shop"

    async def list_tools(self, *_: object) -> list[Any]:
        raise NotImplementedError


OTHER = Agent(name="Other")
made: Any = Agent  # As a program without types would call it.
# What stands in the list, and the lists of an agent that it may stand in.
VALUES: dict[str, tuple[Any, set[str]]] = {
    "function tool": (look_up, {"tools"}),
    "hosted tool": (WebSearchTool(), {"tools"}),
    "agent": (OTHER, {"handoffs"}),
    "handoff": (handoff(OTHER), {"handoffs"}),
    "server": (Server(), {"mcp_servers"}),
    "input guardrail": (input_guardrail(check), {"input_guardrails"}),
    "output guardrail": (output_guardrail(check), {"output_guardrails"}),
    "tool input guardrail": (tool_input_guardrail(check_call), set()),
    "tool output guardrail": (tool_output_guardrail(check_call), set()),
    "function": (check, set()),
    "lambda": (lambda: None, set()),
    "class": (Agent, set()),
    "object": (object(), set()),
    "namespace": (types.SimpleNamespace(), set()),
    "text": ("Other", set()),
    "None": (None, set()),
    "number": (1, set()),
    "list": ([OTHER], set()),
    "dict": ({"name": "Other"}, set()),
    "config": (RunConfig(), set()),
}
FIELDS = ["tools", "handoffs", "mcp_servers", "input_guardrails", "output_guardrails"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("kind", VALUES)
def test_each_list_takes_its_own_kind_only(field: str, kind: str):
    value, homes = VALUES[kind]
    if field in homes:
        assert getattr(made(name="Desk", **{field: [value]}), field) == [value]
        return
    with pytest.raises(UserError) as caught:
        made(name="Desk", **{field: [value]})
    said = str(caught.value)
    assert f"{field}[0] of agent 'Desk' is " in said
    for home in homes:
        assert home in said


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [OTHER, look_up, "Other", None, {"name": "Other"}])
def test_a_thing_without_its_list_is_refused(field: str, value: Any):
    with pytest.raises(UserError, match=f"Agent {field} must be a list"):
        made(name="Desk", **{field: value})


@pytest.mark.parametrize(
    ("field", "given", "meant"),
    [
        ("mcp_config", {"include_server_in_tool_name": True}, "include_server_in_tool_names"),
        ("mcp_config", {"convert_schema_to_strict": True}, "convert_schemas_to_strict"),
        ("tool_use_behavior", {"stop_at_tool_name": ["look_up"]}, "stop_at_tool_names"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_one_that_is_meant(field: str, given: Any, meant: str):
    with pytest.raises(UserError, match=f"{field} of agent 'Desk'.*Did you mean '{meant}'"):
        made(name="Desk", **{field: given})
