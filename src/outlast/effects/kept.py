"""What tools, agents and guardrails answered, in the form in which the log keeps it, and back."""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from outlast.core.errors import UserError
from outlast.core.events import Item
from outlast.core.records import Entry
from outlast.core.shown import class_name, shown
from outlast.core.surrogates import without_surrogates
from outlast.definitions.agent import Agent
from outlast.definitions.tool import FunctionTool
from outlast.definitions.values import Lookup, NotKept, nowhere, pack, scope_of, unpack


def keep_value(
    tool: object, name: str, value: object, item: Item
) -> tuple[dict[str, Any] | None, Any]:
    """What the log keeps of a tool's value beside the output item, and the value as it gives it back.

    A value that it cannot keep stays the tool's own object for as long as this process has it.
    """
    see = sees(tool)
    try:
        packed = pack(value, see)
    except NotKept:
        return {"lost": class_name(value), "tool": name}, value
    if type(value) is str and packed is value and value == item.get("output"):
        return None, value
    return {"is": packed, "tool": name}, unpack(packed, see)


def kept_value(entry: Entry, tool: object) -> Any:
    """The value behind a tool's output item, from the log."""
    if entry.value is None or "is" not in entry.value:
        return entry.item.get("output")
    return unpack(entry.value["is"], sees(tool))


def sees(tool: object) -> Lookup:
    """The classes that a tool's function can see."""
    return scope_of(*tool.sources) if isinstance(tool, FunctionTool) else nowhere


def sees_output(agent: Agent, *more: object) -> Lookup:
    """The classes that an agent's final output may be of."""
    tools = [
        each for tool in agent.tools if isinstance(tool, FunctionTool) for each in tool.sources
    ]
    return scope_of(*output_classes(agent), *tools, agent.tool_use_behavior, *more)


def output_classes(agent: Agent) -> list[Any]:
    """What an agent says that its output is."""
    declared: Any = agent.output_type
    declared = getattr(declared, "output_type", declared)
    return [] if declared is None else [declared]


def keep_output(output: object, see: Lookup, who: str) -> Any:
    """A final output as the log keeps it.

    Raises:
        UserError: It would be something else after a crash.
    """
    try:
        return pack(output, see)
    except NotKept as error:
        raise UserError(
            f"The final output of {who} is a {type(output).__name__}, which the run's log cannot keep: "
            f"{error}. Make it text, numbers, lists, dicts, or a class that the agent's output type or "
            "the tool's return type names. What the tools did is recorded."
        ) from error


def keep_info(output: Any, guardrail: Any) -> tuple[Any, Any]:
    """What the log keeps of what a guardrail tells of its check, and its answer with that.

    Of what has no form in the log, it keeps the JSON or the text, also for whoever reads it first.
    """
    info = _info(output.output_info, guardrail)
    output = copy.copy(output)
    output.output_info = kept_info(info, guardrail)
    return info, output


def _info(info: Any, guardrail: Any) -> Any:
    try:
        return pack(info, scope_of(guardrail.guardrail_function))
    except NotKept:
        pass
    try:
        return pack(msgspec.to_builtins(info, enc_hook=json_form))
    except Exception:  # noqa: BLE001  # forms of objects are user code
        return without_surrogates(shown(info))


def kept_info(info: Any, guardrail: Any) -> Any:
    """The same, from the log."""
    return unpack(info, scope_of(guardrail.guardrail_function))


def json_form(value: Any) -> Any:
    """An object that is no JSON: a model's fields, or a text."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
