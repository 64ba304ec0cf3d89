"""Where code of a program belongs that a run inside a workflow calls.

What uses `temporalio.workflow`, or begins runs of its own, is a part of the workflow. Everything else
(tools, hooks, guardrails that read clocks and files, block, or ask somebody) is performed beside it.
Nobody has to say which is which: it is read off the functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Literal, cast

from temporalio import workflow

from outlast.core.effects import (
    AskApproval,
    CallModel,
    CheckGuardrail,
    Conclude,
    Effect,
    HandOff,
    LoadSession,
    Prepare,
    Recover,
    RunTool,
    SaveSession,
    ShortenSession,
)
from outlast.definitions.handoff import Handoff
from outlast.definitions.tool import FunctionTool
from outlast.effects.view import RunView

Where = Literal["workflow", "beside"]
_DEPTH = 5
_OURS = ("outlast", "agents", "temporalio")
_HEARD: dict[type[Effect], tuple[str, ...]] = {
    Prepare: ("on_agent_start", "on_start"),
    CallModel: ("on_llm_start",),
    RunTool: ("on_tool_start", "on_tool_end"),
    HandOff: ("on_handoff",),
    Conclude: ("on_agent_end", "on_end"),
}
"""What hooks hear while an effect is performed."""
_WORKFLOW_NAMES = {name for name in dir(workflow) if name[:1] != "_"} - {"logger", "unsafe", "defn"}
"""What only a workflow has. Its logger works everywhere."""
_RUNNERS = {"Runner", "AgentRunner", "DefaultRunner", "run_batch"}


class InWorkflow:
    """A base of callables that are a part of the workflow."""


def where(effect: Effect, view: RunView) -> Where:
    """Where an effect is performed."""
    if isinstance(effect, LoadSession | SaveSession | ShortenSession):
        return "beside"
    agent = getattr(effect, "agent", "") or view.state.agent
    hooks = hooks_of(view, agent, *_HEARD.get(type(effect), ("",)))
    codes = [each for each in _codes(effect, view) if each is not None and not _is_plain(each)]
    is_inside = not (codes or hooks) or any(map(belongs_to_workflow, (*codes, *hooks)))
    return "workflow" if is_inside else "beside"


def hooks_of(view: RunView, agent: str, *names: str) -> list[Any]:
    """The hooks that hear of what an agent does: those that have one of these methods of their own."""
    found = view.agents.find(agent)
    both = [each for each in (view.hooks, found.hooks if found else None) if each is not None]
    return [each for each in both if not names or any(_has_method(each, name) for name in names)]


def _has_method(hooks: Any, name: str) -> bool:
    kind = cast("type[Any]", type(hooks))
    method: Any = getattr(kind, name, None)
    return method is not None and not _is_ours(method)


def belongs_to_workflow(code: Any) -> bool:
    """Whether a function, or an object that is called, is a part of the workflow."""
    return _needs_workflow(code, _DEPTH, set())


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | str | int | float | dict | list | tuple)


def _codes(effect: Effect, view: RunView) -> Iterable[Any]:
    """What of the program an effect calls."""
    agent: Any = view.agents.find(getattr(effect, "agent", "") or view.state.agent)
    config = view.config
    if agent is None:
        return []
    found: list[Any] = []
    match effect:
        case Prepare():
            turned_on = [getattr(each, "is_enabled", None) for each in agent.tools]
            turned_on += [getattr(each, "is_enabled", None) for each in agent.handoffs]
            found = [agent.instructions, agent.prompt, *turned_on, *agent.mcp_servers]
        case CallModel():
            found = [config.call_model_input_filter]
        case RunTool():
            found = [*_of_tool(agent, effect.call.name), config.tool_error_formatter]
        case AskApproval():
            found = _of_tool(agent, effect.call.name)
        case HandOff():
            found = [*_of_handoffs(agent), config.handoff_input_filter]
        case CheckGuardrail():
            ours = (*agent.input_guardrails, *agent.output_guardrails)
            runs = (*(config.input_guardrails or ()), *(config.output_guardrails or ()))
            found = [
                each.guardrail_function for each in (*ours, *runs) if _named(each, effect.name)
            ]
        case Conclude():
            found = [agent.tool_use_behavior]
        case Recover():
            found = list((view.error_handlers or {}).values())
        case _:
            pass
    return found


def _named(guardrail: Any, name: str) -> bool:
    return not name or guardrail.get_name() == name


def _of_tool(agent: Any, name: str) -> list[Any]:
    found: list[Any] = []
    for tool in agent.tools:
        if getattr(tool, "name", None) != name:
            continue
        if not isinstance(tool, FunctionTool):
            found += filter(callable, cast("dict[str, Any]", vars(tool)).values())
            continue
        checks = [*(tool.tool_input_guardrails or ()), *(tool.tool_output_guardrails or ())]
        found += [
            tool.on_invoke_tool,
            tool.needs_approval,
            *(each.guardrail_function for each in checks),
        ]
    return found or [*agent.mcp_servers] or [_unknown]


async def _unknown() -> None:
    """Stands for a tool that is not the agent's own, such as a server's."""


def _of_handoffs(agent: Any) -> list[Any]:
    transfers: list[Any] = agent.handoffs
    return [
        code
        for each in transfers
        if isinstance(each, Handoff)
        for code in (each.input_filter, each.on_invoke_handoff if _has_own(each) else None)
    ]


def _has_own(transfer: Any) -> bool:
    """Whether a function of the program hears of the handoff."""
    cells = getattr(transfer.on_invoke_handoff, "__closure__", None) or ()
    held = (cell.cell_contents for cell in cells if _is_set(cell))
    return not isinstance(transfer.on_invoke_handoff, FunctionType) or any(map(_is_users, held))


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # an empty cell raises
    except ValueError:
        return False
    return True


def _is_users(value: Any) -> bool:
    return isinstance(value, FunctionType | MethodType) and not _is_ours(value)


def _is_ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] in _OURS


def _needs_workflow(value: Any, depth: int, seen: set[int]) -> bool:
    if depth == 0 or id(value) in seen:
        return False
    seen.add(id(value))
    if isinstance(value, InWorkflow) or getattr(value, "__temporal_workflow_definition", None):
        return True
    if isinstance(value, FunctionTool):
        return value.agent is not None or any(
            _needs_workflow(each, depth, seen) for each in (value.on_invoke_tool, *value.sources)
        )
    if isinstance(value, MethodType):
        return _needs_workflow(value.__func__, depth, seen)
    if isinstance(value, FunctionType):
        return _of_function(value, depth, seen)
    tool = getattr(value, "tool", None)
    if isinstance(tool, FunctionTool) and tool.agent is not None:
        return True
    parts = [getattr(value, "original", None), *getattr(value, "sources", ())]
    return any(_needs_workflow(each, depth, seen) for each in parts + _methods(value))


def _methods(value: Any) -> list[Any]:
    """What the program has written of an object that is called, such as hooks."""
    kinds = [kind for kind in type(value).__mro__ if kind is not object and not _is_ours(kind)]
    return [each for kind in kinds for each in vars(kind).values() if inspect.isfunction(each)]


def _of_function(function: FunctionType, depth: int, seen: set[int]) -> bool:
    held = [cell.cell_contents for cell in function.__closure__ or () if _is_set(cell)]
    held = [each for each in held if callable(each) or isinstance(each, ModuleType)]
    names: set[str] = set() if _is_ours(function) else _names(function.__code__)
    known = [function.__globals__[name] for name in names if name in function.__globals__]
    for each in (*known, *held):
        if isinstance(each, ModuleType):
            if _root(each) == "temporalio.workflow" and names & _WORKFLOW_NAMES:
                return True
            if _is_agents(each) and names & _RUNNERS:
                return True
        elif (
            _is_workflows(each)
            or (getattr(each, "__name__", "") in _RUNNERS and _is_ours(each))
            or (_is_followed(each) and _needs_workflow(each, depth - 1, seen))
        ):
            return True
    return False


def _is_workflows(value: Any) -> bool:
    """Whether it is a function of `temporalio.workflow`, imported by its name."""
    home = str(getattr(value, "__module__", ""))
    return home.startswith("temporalio.workflow") and callable(value)


def _is_followed(value: Any) -> bool:
    is_code = isinstance(value, FunctionType | MethodType | FunctionTool)
    return is_code or (callable(value) and not inspect.isclass(value) and not _is_library(value))


def _is_library(value: Any) -> bool:
    return inspect.isbuiltin(value) or _is_ours(value)


def _root(module: ModuleType) -> str:
    return ".".join(module.__name__.split(".")[:2])


def _is_agents(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] in ("outlast", "agents", "openai_agents")


def _names(code: CodeType) -> set[str]:
    """The names that a function's code, and that of functions in it, reads."""
    found = set(code.co_names)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found |= _names(each)
    return found
