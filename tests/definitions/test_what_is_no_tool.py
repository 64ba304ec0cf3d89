"""What cannot work as a part of an agent is refused when the agent is made, with what to write."""

import functools
import json
import operator
from dataclasses import dataclass
from unittest.mock import Mock

import pytest
from pydantic import BaseModel

from outlast import (
    Agent,
    FunctionTool,
    RunConfig,
    RunHooks,
    Runner,
    UserError,
    WebSearchTool,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
)
from outlast.testing import ScriptedModel, assistant_message, function_call


def look_up(name: str) -> str:
    return name


async def look_up_later(name: str) -> str:
    return name


def look_ups(name: str):
    yield name


class Args(BaseModel):
    name: str


class Shop:
    def price(self, article: str) -> str:
        return article


class Callable:
    def __call__(self, name: str) -> str:
        return name


def closed(coroutine):
    coroutine.close()
    return coroutine


NO_TOOLS = {
    "function": (look_up, "look_up", "@function_tool"),
    "async function": (look_up_later, "look_up_later", "@function_tool"),
    "generator function": (look_ups, "look_ups", "@function_tool"),
    "lambda": (lambda name: name, "a lambda", "function_tool"),
    "method": (Shop().price, "method price", "function_tool"),
    "builtin": (operator.add, "add", "function_tool"),
    "partial": (functools.partial(look_up, "x"), "partial", "function"),
    "object with __call__": (Callable(), "a Callable", "function_tool"),
    "class": (Args, "class Args", "function_tool"),
    "class of a tool": (WebSearchTool, "class WebSearchTool", "WebSearchTool(...)"),
    "pydantic object": (Args(name="x"), "an Args", "@function_tool"),
    "module": (json, "module json", "@function_tool"),
    "text": ("look_up", "a str", "@function_tool"),
    "None": (None, "None", "@function_tool"),
    "number": (3, "an int", "@function_tool"),
    "dict": ({"type": "function", "name": "look_up"}, "a dict", "@function_tool"),
    "list of tools": ([function_tool(look_up)], "a list", "*"),
    "agent": (Agent(name="Other"), "an Agent", "as_tool"),
    "handoff": (handoff(Agent(name="Other")), "a Handoff", "handoffs"),
    "coroutine": (closed(look_up_later("x")), "look_up_later", "do not call"),
}


@pytest.mark.parametrize("kind", NO_TOOLS)
def test_what_is_no_tool_is_refused_with_what_to_write(kind):
    value, what, advice = NO_TOOLS[kind]
    with pytest.raises(UserError) as caught:
        Agent(name="Clerk", tools=[function_tool(look_up), value])
    text = str(caught.value)
    assert "tools[1] of agent 'Clerk'" in text
    assert what in text
    assert advice in text


async def test_a_function_that_is_added_later_is_refused_before_a_model_is_called():
    model = ScriptedModel([[assistant_message("hi")]])
    agent = Agent(name="Clerk", model=model)
    agent.tools.append(look_up)
    with pytest.raises(UserError, match=r"look_up.*@function_tool"):
        await Runner.run(agent, "hi", run_config=RunConfig(journal="off"))
    assert not model.calls


@pytest.mark.parametrize("value", [look_up, Args, "Other", None, json, function_tool(look_up).name])
def test_what_is_no_handoff_is_refused(value):
    with pytest.raises(UserError, match=r"handoffs\[0\] of agent 'Clerk'.*handoff\(agent"):
        Agent(name="Clerk", handoffs=[value])


def check(ctx, agent, message):
    raise NotImplementedError


GUARDRAILS = {"input": input_guardrail, "output": output_guardrail}


@pytest.mark.parametrize("kind", GUARDRAILS)
@pytest.mark.parametrize("value", [check, Args, "check", None])
@pytest.mark.parametrize("owner", [functools.partial(Agent, "Clerk"), RunConfig])
def test_what_is_no_guardrail_is_refused(owner, kind, value):
    with pytest.raises(UserError, match=rf"{kind}_guardrails\[0\].*@{kind}_guardrail"):
        owner(**{f"{kind}_guardrails": [value]})


@pytest.mark.parametrize("kind", GUARDRAILS)
def test_a_guardrail_of_the_other_kind_is_refused(kind):
    (other,) = set(GUARDRAILS) - {kind}
    with pytest.raises(UserError, match=f"no guardrail of the {kind}"):
        Agent(name="Clerk", **{f"{kind}_guardrails": [GUARDRAILS[other](check)]})


@pytest.mark.parametrize("kind", ["input", "output"])
def test_what_is_no_guardrail_of_a_tool_is_refused(kind):
    with pytest.raises(UserError, match=rf"tool_{kind}_guardrails\[0\].*@tool_{kind}_guardrail"):
        function_tool(look_up, **{f"tool_{kind}_guardrails": [check]})


class DeskHooks(RunHooks):
    pass


@dataclass
class Order:
    number: str


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("hooks", DeskHooks, r"DeskHooks\(\.\.\.\)"),
        ("hooks", DeskHooks(), r"Runner\.run\(\.\.\., hooks"),
        ("hooks", print, "AgentHooks"),
        ("model_settings", "hot", "ModelSettings"),
        ("output_type", Order("A-1"), "output_type=Order"),
        ("output_type", "Order", "type itself"),
    ],
)
def test_other_fields_say_what_they_take(field, value, advice):
    with pytest.raises(TypeError, match=advice):
        Agent(name="Clerk", **{field: value})


@pytest.mark.parametrize("name", ["look up", "größe", "a.b", "x" * 65, "", "tool!", "<lambda>"])
def test_a_tool_that_no_model_can_call_by_its_name_is_refused(name):
    tool = FunctionTool(name, "", {}, look_up_later)
    with pytest.raises(UserError, match=r"1 to 64.*name_override"):
        Agent(name="Clerk", tools=[tool])
    if name and "." not in name:  # A dot is how names of a namespace are written.
        with pytest.raises(UserError, match="name_override"):
            function_tool(look_up, name_override=name)


@pytest.mark.parametrize("policy", ["error", "warn"])
async def test_two_tools_of_one_name_are_an_error_or_a_warning(policy, caplog):
    async def run():
        tools = [function_tool(look_up), function_tool(look_up_later, name_override="look_up")]
        agent = Agent(name="Clerk", tools=tools, model=ScriptedModel([[assistant_message("hi")]]))
        config = RunConfig(journal="off", tool_name_collision_policy=policy)
        return await Runner.run(agent, "hi", run_config=config)

    if policy == "error":
        with pytest.raises(UserError, match=r"look_up.*name_override"):
            await run()
    else:
        await run()
        assert "look_up" in caplog.text


async def test_a_part_of_ones_own_is_left_alone():
    class Own:
        name = "own"

    agent = Agent(name="Clerk", tools=[Own()], handoffs=[Agent(name="Other")])
    assert agent.tools[0].name == "own"


def test_a_stand_in_of_a_test_may_be_any_part():
    tool, target, server = Mock(), Mock(), Mock()
    tool.name, target.name = "look_up", "Other"
    agent = Agent(name="Clerk", tools=[tool], handoffs=[target], mcp_servers=[server])
    assert (agent.tools, agent.handoffs, agent.mcp_servers) == ([tool], [target], [server])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: function_tool(look_up, on_uncertain="onec"),
        lambda: function_tool(look_up, docstring_style="googel"),
        lambda: function_tool(look_up_later, timeout_behavior="rase"),
        lambda: RunConfig(durability="pwoer"),
        lambda: RunConfig(reasoning_item_id_policy="omitt"),
        lambda: RunConfig(tool_not_found_behavior="raise"),
        lambda: RunConfig(tool_name_collision_policy="wran"),
        lambda: WebSearchTool(search_context_size="larg"),
        lambda: Agent(name="Clerk", tool_use_behavior="stop_on_frist_tool"),
    ],
)
def test_a_mistyped_choice_is_refused_where_it_is_written(wrong):
    with pytest.raises((ValueError, TypeError), match="'"):
        wrong()


async def test_a_tool_that_is_called_by_a_run_gets_its_name_right():
    tool = function_tool(look_up, name_override="look-up_2")
    script = [[function_call("look-up_2", {"name": "ann"}, call_id="1")], [assistant_message("ok")]]
    agent = Agent(name="Clerk", tools=[tool], model=ScriptedModel(script))
    result = await Runner.run(agent, "hi", run_config=RunConfig(journal="off"))
    assert result.new_items[1].output == "ann"
