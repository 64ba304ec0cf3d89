"""How guides write handoffs."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from typing import Any

from outlast.compat.guides.agents import ENABLED, for_context
from outlast.compat.guides.patching import Patches
from outlast.definitions import handoff as module
from outlast.definitions.agent import Agent
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.function_tool import FunctionTool
from outlast.definitions.handoff import Handoff, HandoffInputData
from outlast.definitions.tool import function_tool

_ANSWERS: ContextVar[list[Any] | None] = ContextVar("answers_of_on_handoff", default=None)


def teach(patches: Patches) -> None:
    """Teach handoffs the spellings of guides."""
    original = module.handoff
    patches.add(HandoffInputData, "context", property(_context))
    patches.wrap(HandoffInputData, "__init__", _data_init)
    patches.add(Handoff, "__getattr__", _alias)
    patches.wrap(Handoff, "__init__", functools.partial(_init, original))
    patches.replace(original, _handoff(original))


def _context(data: HandoffInputData) -> Any:
    return data.run_context


def _data_init(original: Any) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        if args or "input" not in options:
            original(self, *args, **options)
            return
        agent = options.pop("agent", None)
        options.setdefault("pre_handoff_items", ())
        options.setdefault("new_items", ())
        original(self, input_history=options.pop("input"), **options)
        self.__dict__["agent"] = agent

    return init


def _alias(self: Any, name: str) -> Any:
    """`name` and `description`; no properties, so that they can be set."""
    fields = {"name": "tool_name", "description": "tool_description"}
    if name in fields and fields[name] in self.__dict__:
        return self.__dict__[fields[name]]
    raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name)


def _init(handoff: Any, original: Any) -> Any:
    """`Handoff(agent=, name=, description=, on_handoff=, input_type=, is_enabled=)`."""

    def init(self: Any, *args: Any, **options: Any) -> None:
        if args or "agent" not in options:
            original(self, *args, **options)
            return
        agent, react = options.pop("agent"), options.pop("on_handoff", None)
        name = options.pop("name", None)
        options["tool_name_override"] = options.pop("tool_name", name)
        options["tool_description_override"] = options.pop("description", None)
        takes_text = react is not None and "input_type" not in options and _takes_two(react)
        made = _handoff(handoff)(agent, on_handoff=None if takes_text else react, **options)
        if takes_text:
            made.on_invoke_handoff = _hearing(react, made.on_invoke_handoff)
        self.__dict__.update(made.__dict__)

    return init


def _takes_two(function: Any) -> bool:
    return len(inspect.signature(function).parameters) == 2  # noqa: PLR2004 (context and text)


def _hearing(react: Any, invoke: Any) -> Any:
    async def hear(context: Any, arguments: str | None = None) -> Any:
        answer = await awaited(react(context, arguments or ""))
        return answer if _is_agent(answer) else await invoke(context, "")

    return hear


def _handoff(original: Any) -> Any:
    @functools.wraps(original)
    def handoff(agent: Any = None, *args: Any, **options: Any) -> Any:
        agent = options.pop("target", agent)
        if "filter" in options:
            options["input_filter"] = options.pop("filter")
        if agent is None:
            return functools.partial(handoff, *args, **options)
        if inspect.isroutine(agent):
            return _of_function(original, agent, options)
        react = options.get("on_handoff")
        if callable(react):
            options["on_handoff"] = _noting(react)
        if (enabled := _own_enabled(agent)) is not None:
            options.setdefault("is_enabled", enabled)
        made = original(agent, *args, **options)
        made.on_invoke_handoff = _redirecting(made.on_invoke_handoff)
        return made

    return handoff


def _own_enabled(agent: Any) -> Any:
    enabled = getattr(agent, "__dict__", {}).get(ENABLED)
    return None if enabled is None else for_context(enabled)


def _noting(react: Any) -> Any:
    """``react``, whose answer is remembered: guides return the agent to go to."""

    @functools.wraps(react)
    async def noting(*args: Any) -> Any:
        answer = await awaited(react(*args))
        if (answers := _ANSWERS.get()) is not None:
            answers.append(answer)
        return answer

    return noting


def _redirecting(invoke: Any) -> Any:
    async def redirecting(context: RunContextWrapper, arguments: str | None = None) -> Any:
        answers: list[Any] = []
        mark = _ANSWERS.set(answers)
        try:
            agent = await invoke(context, arguments)
        finally:
            _ANSWERS.reset(mark)
        return next((each for each in answers if _is_agent(each)), agent)

    return redirecting


def _is_agent(value: Any) -> bool:
    return isinstance(value, Agent)


def _of_function(original: Any, function: Any, options: dict[str, Any]) -> Any:
    """`@handoff` on a function: the model gives its arguments, and it returns the agent."""
    tool: FunctionTool = function_tool(function, failure_error_function=None)
    stand_in = Agent(name=function.__name__)
    made = original(
        stand_in,
        tool_name_override=options.pop("tool_name_override", tool.name),
        tool_description_override=options.pop("tool_description_override", tool.description),
        **options,
    )
    made.input_json_schema = tool.params_json_schema

    async def invoke(context: Any, arguments: str | None = None) -> Any:
        answer = await tool.on_invoke_tool(context, arguments or "{}")
        if not _is_agent(answer):
            raise TypeError(
                f"The function {function.__name__!r} under @handoff has to return an Agent, got "
                f"{type(answer).__name__}."
            )
        return answer

    made.on_invoke_handoff = invoke
    made.__dict__["_stand_in"] = stand_in  # A handoff holds its agent weakly.
    return made
