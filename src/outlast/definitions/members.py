"""What may stand in an agent's lists, and what to write in place of what may not.

A forgotten decorator shows when the agent is made, and not in the middle of its first run.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import types
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from outlast.core.errors import UserError, WrongValue
from outlast.definitions.callables import is_tool_name
from outlast.definitions.function_tool import FunctionTool
from outlast.definitions.given import check_list
from outlast.definitions.guardrail import InputGuardrail, OutputGuardrail
from outlast.definitions.handoff import Handoff
from outlast.definitions.method_tool import MethodTool
from outlast.definitions.tool import Tool
from outlast.definitions.tool_guardrail import ToolInputGuardrail, ToolOutputGuardrail


def check_tools(agent: Any, tools: Iterable[Any]) -> None:
    """Refuse what is no tool.

    Raises:
        UserError: An entry is a function without its decorator, an agent, a text, and so on; or a
            tool that no model can call.
    """
    for index, tool in enumerate(tools):
        place = f"tools[{index}] of agent {agent.name!r}"
        if isinstance(tool, MethodTool):
            raise UserError(
                f"{place} is the method {tool.name}, which lacks the object that it belongs to. "
                f"Look it up on an object of its class: tools=[shop.{tool.name}]."
            )
        if isinstance(tool, FunctionTool):
            if not is_tool_name(tool.name):
                raise UserError(
                    f"{place} is called {tool.name[:80]!r}, and models call tools by 1 to 64 letters "
                    "of ASCII, digits, _ and -. Rename it: function_tool(name_override=...)."
                )
        elif (advice := _about_tool(tool)) is not None:
            raise UserError(f"{place} is {_what(tool)}, which is no tool. {advice}")


def check_exclusive(agent: Any, tools: Iterable[Any]) -> None:
    """Refuse a second tool of a name that one tool must have for itself.

    Raises:
        UserError: There is one.
    """
    named = [tool for tool in tools if isinstance(tool, FunctionTool)]
    exclusive = {tool.name: kind for tool in named if (kind := tool.exclusive_kind)}
    counts = Counter(tool.name for tool in named if exclusive)
    if twice := sorted(name for name in exclusive if counts[name] > 1):
        raise UserError(
            f"Duplicate {exclusive[twice[0]]} tool names found: {', '.join(twice)}. Agent "
            f"{agent.name!r} has another tool of that name; rename one of them."
        )


def check_handoffs(agent: Any, handoffs: Iterable[Any]) -> None:
    """Refuse what is neither an agent nor a handoff.

    Raises:
        UserError: An entry is something else.
    """
    for index, target in enumerate(handoffs):
        if isinstance(target, Handoff):
            continue
        if _is_plain(target) or not _is_agent(target):
            instead = _instead(target) or ""
            raise UserError(
                f"handoffs[{index}] of agent {agent.name!r} is {_what(target)}, which is neither an "
                f"agent nor a handoff. Pass the agent itself, or handoff(agent, ...).{instead}"
            )


def check_servers(agent: Any, servers: Iterable[Any]) -> None:
    """Refuse what is no server of tools.

    Raises:
        UserError: An entry is something else.
    """
    for index, server in enumerate(servers):
        if isinstance(server, type) or not _is_server(server):
            instead = _instead(server) or ""
            raise UserError(
                f"mcp_servers[{index}] of agent {agent.name!r} is {_what(server)}, which is no MCP server. "
                f"Pass MCPServerStdio(...), MCPServerStreamableHttp(...), or another MCPServer.{instead}"
            )


def check_keys(place: str, given: dict[str, Any], known: Collection[str]) -> None:
    """Refuse keys of a setting that it does not have: a mistyped one would change nothing.

    Raises:
        WrongValue: There is one.
    """
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            raise WrongValue(
                f"{place} has no key {key!r:.60}.{meant} Known are: {', '.join(known)}."
            )


def check_guardrails(owner: str, kind: str, guardrails: Iterable[Any]) -> None:
    """Refuse what is no guardrail of the ``kind``, "input" or "output"; ``owner`` has the list.

    Raises:
        UserError: An entry is a function without its decorator, or something else.
    """
    right, wrong = (
        (InputGuardrail, OutputGuardrail) if kind == "input" else (OutputGuardrail, InputGuardrail)
    )
    check_list(f"{kind}_guardrails of {owner}", guardrails)
    for index, each in enumerate(guardrails):
        is_other = isinstance(each, wrong | ToolInputGuardrail | ToolOutputGuardrail)
        is_own = not (is_other or _is_plain(each)) and _can_run(each)
        if isinstance(each, right) or is_own:
            continue
        instead = _instead(each)
        advice = (
            f"Pass what @{kind}_guardrail makes of a function, or {right.__name__}(...).{instead or ''}"
            if instead or (name := _name(each)) is None
            else f"Decorate it with @{kind}_guardrail, or write {kind}_guardrails="
            f"[{kind}_guardrail({name})]."
        )
        raise UserError(
            f"{kind}_guardrails[{index}] of {owner} is {_what(each)}, which is no guardrail of the "
            f"{kind}. {advice}"
        )


def _about_tool(tool: Any) -> str | None:
    """What to write in place of what is no tool; None if it may be one."""
    if isinstance(tool, type) or inspect.isroutine(tool):
        return _about_code(tool)
    for kinds, advice in _INSTEAD.items():
        if isinstance(tool, kinds):
            return advice
    if inspect.isawaitable(tool) or inspect.isgenerator(tool):
        return "Pass the function itself, decorated with @function_tool, and do not call it."
    if hasattr(tool.__class__, "as_tool"):
        return "Write agent.as_tool(tool_name=..., tool_description=...), or put it into handoffs."
    if not isinstance(tool, _TOOLS) and (instead := _instead(tool)):
        return instead.lstrip()
    if _is_plain(tool) or not isinstance(getattr(tool, "name", None), str):
        if callable(tool):
            return "Write tools=[function_tool(the_object)]."
        return "Pass what @function_tool makes of a function, or a tool such as WebSearchTool()."
    return None


def _instead(value: Any) -> str | None:
    """Where in an agent a value belongs that stands in the wrong list; None if in none."""
    if isinstance(value, InputGuardrail):
        return " Put it into input_guardrails."
    if isinstance(value, OutputGuardrail):
        return " Put it into output_guardrails."
    if isinstance(value, ToolInputGuardrail | ToolOutputGuardrail):
        kind = "input" if isinstance(value, ToolInputGuardrail) else "output"
        return f" A tool has it: function_tool(..., tool_{kind}_guardrails=[...])."
    if isinstance(value, Handoff) or (_is_agent(value) and _has(value, "handoff_description")):
        return " Put it into handoffs."
    if _is_plain(value):
        return None
    if _is_server(value) and _has(value, "list_tools"):
        return " Put it into mcp_servers."
    return " Put it into tools." if isinstance(value, _TOOLS) else None


def _has(value: Any, name: str) -> bool:
    """Whether ``value`` has an attribute of its own accord: a stand-in answers to every name."""
    return inspect.getattr_static(value, name, _NONE) is not _NONE


def _is_agent(value: Any) -> bool:
    """Whether ``value`` has what a handoff reads of an agent."""
    return isinstance(getattr(value, "name", None), str) and hasattr(value, "handoff_description")


def _can_run(value: Any) -> bool:
    return callable(getattr(value, "run", None))


def _is_server(value: Any) -> bool:
    """Whether ``value`` has what an agent asks of a server of tools."""
    return callable(getattr(value, "list_tools", None))


_NONE = object()
_TOOLS: Any = Tool
_INSTEAD: dict[tuple[type[Any], ...], str] = {
    (
        functools.partial,
    ): "Put it into a function with the parameters that the model should see, and "
    "decorate that with @function_tool.",
    (Handoff,): "Put it into handoffs.",
    (list, tuple, set, frozenset): "Write its entries one by one: tools=[*those].",
}


def _about_code(tool: Any) -> str:
    name = _name(tool) or "the_function"
    if isinstance(tool, types.MethodType) and isinstance(tool.__func__, FunctionTool):
        return "Write @function_tool above @classmethod."
    if not isinstance(tool, type):
        called = name if name.isidentifier() else "the_function"
        return f"Decorate it with @function_tool, or write tools=[function_tool({called})]."
    if _is_tool_class(tool):
        return f"Make an object of it: {name}(...)."
    return "Decorate a function with @function_tool; a class may be the type of its parameter."


def _is_tool_class(kind: type[Any]) -> bool:
    return kind.__name__.endswith("Tool") and kind.__module__.startswith("outlast.")


_PLAIN: tuple[type[Any], ...] = (
    str, bytes, int, float, dict, list, tuple, set, frozenset, types.NoneType, types.ModuleType,
    type, functools.partial,
)  # fmt: skip


def _is_plain(value: Any) -> bool:
    """Whether ``value`` is something of Python's, or a record of data, and nobody's own kind."""
    if isinstance(value, _PLAIN) or inspect.isroutine(value) or inspect.isawaitable(value):
        return True
    return inspect.isgenerator(value) or hasattr(value.__class__, "model_fields")


def _name(value: Any) -> str | None:
    """What ``value`` is called where it was written; None if it is nothing that can be called."""
    return str(getattr(value, "__name__", "check")) if callable(value) else None


def _what(value: Any) -> str:
    """What ``value`` is, in words that do not show what it holds."""
    if value is None:
        return "None"
    name = getattr(value, "__name__", None)
    if isinstance(value, type):
        return f"the class {name}"
    if isinstance(value, types.ModuleType):
        return f"the module {name}"
    if inspect.iscoroutine(value):
        return f"a coroutine, the call of {name}"
    if inspect.isroutine(value) and name:
        code = "method" if inspect.ismethod(value) else "function"
        return "a lambda" if name == "<lambda>" else f"the {code} {name}"
    kind = str(value.__class__.__name__)
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
