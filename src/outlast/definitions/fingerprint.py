"""What an agent is made of, by content hash: instructions, tools, schemas, handoffs, model, guardrails.

Two programs whose marks are equal ask and answer alike, as far as code can tell. A function's mark is that
of its code, not of its place, so moving it changes nothing; it does not reach into what it calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from types import CodeType
from typing import Any

from outlast.definitions.agent import Agent
from outlast.definitions.handoff import Handoff, handoff_target

_DIGITS = 12


def fingerprint(agent: Agent[Any]) -> dict[str, str]:
    """The marks of an agent's parts, and of all agents that it leads to.

    Returns:
        A hash for each part, by a name such as ``desk: tool refund``.
    """
    marks: dict[str, str] = {}
    known: set[str] = set()
    waiting: list[Agent[Any]] = [agent]
    while waiting:
        one = waiting.pop()
        if one.name in known:
            continue
        known.add(one.name)
        marks |= {f"{one.name}: {part}": mark for part, mark in _parts(one).items()}
        waiting += [each for each in _leads_to(one) if isinstance(each, Agent)]
    return marks


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """In what two programs differ, a line for each part."""
    lines = [f"- {name}" for name in before if name not in after]
    lines += [f"+ {name}" for name in after if name not in before]
    lines += [f"~ {name}" for name in before if before[name] != after.get(name, before[name])]
    return sorted(lines, key=lambda line: (line[2:], line[0]))


def _leads_to(agent: Agent[Any]) -> list[Any]:
    targets: list[Any] = [
        handoff_target(each) if isinstance(each, Handoff) else each for each in agent.handoffs
    ]
    return targets + [getattr(tool, "agent", None) for tool in agent.tools]


def _parts(agent: Agent[Any]) -> dict[str, str]:
    parts = {
        "instructions": _mark(agent.instructions),
        "model": _mark(agent.model if isinstance(agent.model, str) else type(agent.model).__name__),
        "settings": _mark(agent.model_settings),
        "output type": _mark(_schema(agent.output_type)),
        "handoffs": _mark(
            [getattr(each, "agent_name", getattr(each, "name", "")) for each in agent.handoffs]
        ),
    }
    for tool in agent.tools:
        name = getattr(tool, "qualified_name", tool.name)
        parts[f"tool {name}"] = _mark(_tool(tool))
    for guardrail in [*agent.input_guardrails, *agent.output_guardrails]:
        parts[f"guardrail {guardrail.get_name()}"] = _mark(guardrail.guardrail_function)
    return parts


def _tool(tool: object) -> list[Any]:
    schema = getattr(tool, "params_json_schema", None)
    invoker: Any = getattr(tool, "on_invoke_tool", None)
    function: Any = getattr(invoker, "original", None) or invoker
    return [getattr(tool, "description", ""), schema, _code(function)]


def _schema(output_type: object) -> Any:
    if output_type is None or output_type is str:
        return "text"
    made: Callable[[], Any] | None = getattr(output_type, "model_json_schema", None)
    return made() if made is not None else repr(output_type)


def _mark(value: object) -> str:
    said = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=_said)
    return sha256(said.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _said(value: object) -> Any:
    if callable(value) and not isinstance(value, type):
        return _code(value)
    fields: dict[str, Any] | None = getattr(value, "__dict__", None)
    return (
        {name: each for name, each in fields.items() if each is not None}
        if fields
        else type(value).__name__
    )


def _code(function: object) -> str:
    """What a function does, as the interpreter sees it; the class of what is no function of Python."""
    inner: Any = getattr(function, "__wrapped__", function)
    code: Any = getattr(inner, "__code__", None)
    if not isinstance(code, CodeType):
        return type(function).__name__
    return sha256(_bytes(code)).hexdigest()


def _bytes(code: CodeType) -> bytes:
    parts = [code.co_code, repr(code.co_names).encode()]
    parts += [
        _bytes(each) if isinstance(each, CodeType) else repr(each).encode()
        for each in code.co_consts
    ]
    return b"\0".join(parts)
