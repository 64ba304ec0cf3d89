"""An agent checks itself when it is made, is cheap, and says what it is at run time."""

import asyncio
import gc
import inspect
import subprocess
import sys
import weakref
from dataclasses import fields
from types import SimpleNamespace

import pytest

from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.default_models import get_default_model_settings
from outlast.definitions.enabled import enabled
from outlast.definitions.settings import ModelSettings

CONTEXT = RunContextWrapper(None)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"name": 1}, "Agent name must be a string, got int"),
        ({"tools": "x"}, "Agent tools must be a list, got str"),
        ({"handoffs": ()}, "Agent handoffs must be a list, got tuple"),
        ({"instructions": 1}, "Agent instructions must be a string, callable, or None, got int"),
        ({"model": 1}, "Agent model must be a string, Model, or None, got int"),
        ({"model_settings": 1}, "must be a ModelSettings instance or a dict, got int"),
        ({"output_type": "x"}, "Agent output_type must be a type, AgentOutputSchemaBase, or None"),
        ({"hooks": 1}, "Agent hooks must be an AgentHooks instance or None, got int"),
        ({"tool_use_behavior": "stop"}, "Agent tool_use_behavior must be"),
        ({"reset_tool_choice": 1}, "Agent reset_tool_choice must be a boolean, got int"),
        ({"mcp_config": 1}, "Agent mcp_config must be a dict, got int"),
        ({"prompt": 1}, "Agent prompt must be a Prompt"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_at_once(wrong, text):
    with pytest.raises(TypeError, match=text):
        Agent(**{"name": "Ada", **wrong})


@pytest.mark.parametrize("fine", [list[int], int | str, dict, None])
def test_output_types_need_not_be_classes(fine):
    assert Agent(name="Ada", output_type=fine).output_type is fine


def test_an_agent_has_the_defaults_of_its_model():
    assert Agent(name="Ada").model_settings == get_default_model_settings()
    assert Agent(name="Ada", model="gpt-4.1").model_settings == ModelSettings()
    assert Agent(name="Ada", model="gpt-5").model_settings.reasoning.effort == "low"


def test_a_clone_with_another_model_has_that_model_s_defaults():
    clone = Agent(name="Ada", model="gpt-5").clone(model="gpt-4.1")
    assert clone.model_settings == ModelSettings()


def test_a_clone_keeps_settings_that_were_chosen_and_shares_lists():
    agent = Agent(name="Ada", model_settings={"temperature": 0.5}, tools=[])
    clone = agent.clone(model="gpt-4.1")
    assert clone.model_settings is agent.model_settings
    assert clone.tools is agent.tools


def test_agents_can_be_referred_to_weakly():
    ref = weakref.ref(Agent(name="Ada"))
    gc.collect()
    assert ref() is None


def test_defining_agents_imports_neither_openai_nor_pydantic():
    code = (
        "import sys\n"
        "from outlast.definitions.agent import Agent\n"
        "from outlast.definitions.handoff import handoff\n"
        "b = Agent(name='b'); a = Agent(name='a', handoffs=[b, handoff(b)]).clone(name='c')\n"
        "assert not {'openai', 'pydantic', 'mcp', 'griffe'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_instructions_may_be_text_or_a_function():
    async def later(_context, agent):
        return f"I am {agent.name}"

    class Both:
        def __call__(self, _context, agent):
            return agent.name

        def method(self, _context, agent):
            return agent.name

    assert await Agent(name="Ada").get_system_prompt(CONTEXT) is None
    assert await Agent(name="Ada", instructions="x").get_system_prompt(CONTEXT) == "x"
    assert await Agent(name="Ada", instructions=later).get_system_prompt(CONTEXT) == "I am Ada"
    assert await Agent(name="Ada", instructions=Both()).get_system_prompt(CONTEXT) == "Ada"
    assert await Agent(name="Ada", instructions=Both().method).get_system_prompt(CONTEXT) == "Ada"


@pytest.mark.parametrize(
    "function", [lambda: "", lambda context: "", lambda context, agent, *rest: ""]
)
async def test_instructions_take_exactly_context_and_agent(function):
    with pytest.raises(TypeError, match="must accept exactly 2 arguments"):
        await Agent(name="Ada", instructions=function).get_system_prompt(CONTEXT)


async def test_only_enabled_tools_are_offered_in_their_order():
    async def no(_context, _agent):
        return False

    tools = [
        SimpleNamespace(name="always"),
        SimpleNamespace(name="off", is_enabled=False),
        SimpleNamespace(name="asked", is_enabled=lambda _context, agent: agent.name == "Ada"),
        SimpleNamespace(name="refused", is_enabled=no),
    ]
    agent = Agent(name="Ada", tools=tools)
    assert [tool.name for tool in await agent.get_all_tools(CONTEXT)] == ["always", "asked"]


async def test_a_failing_question_ends_the_others_before_it_is_raised():
    ended = asyncio.Event()
    started = asyncio.Event()

    async def slow(_context, _agent):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def failing(_context, _agent):
        await started.wait()
        raise RuntimeError("asked and failed")

    things = [SimpleNamespace(is_enabled=slow), SimpleNamespace(is_enabled=failing)]
    with pytest.raises(RuntimeError, match="asked and failed"):
        await enabled(things, CONTEXT, None)
    assert ended.is_set()


async def test_closing_who_asks_for_tools_waits_for_nobody():
    asked, release = asyncio.Event(), asyncio.Event()

    async def switch(_context, _agent):
        asked.set()
        return await release.wait()

    tool = SimpleNamespace(name="pay", is_enabled=switch)
    asking = Agent("Ada", tools=[tool]).get_all_tools(CONTEXT)
    asking.send(None)
    await asked.wait()
    asking.close()  # Raised "coroutine ignored GeneratorExit" if it waited.
    assert not release.is_set()
    release.set()


def test_help_says_what_each_field_of_an_agent_is():
    about = inspect.getdoc(Agent) or ""
    assert [each.name for each in fields(Agent) if f"\n    {each.name}: " not in about] == []
