"""Copies of results: deep ones that share the program and the run, and those that leave the process.

A result's items and values are data. Its agents, tools and guardrails are the program, which a copy
is no second one of; a pickle names them, for a program cannot travel.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import is_dataclass, replace
from typing import Any, Never

from outlast.definitions.agent import Agent
from outlast.definitions.guardrail import Check
from outlast.effects.registry import reachable
from outlast.engine.env import RunEnv


def own_fields(fields: dict[str, Any], env: RunEnv | None, memo: dict[int, Any]) -> dict[str, Any]:
    """The fields of a deep copy. What cannot be copied, such as a lock in a context, is shared."""
    if env is not None:
        memo.update((id(each), each) for each in (env, *_agents(env)))
    return {name: _own(value, memo) for name, value in fields.items()}


def portable_fields(fields: dict[str, Any], env: RunEnv | None) -> dict[str, Any]:
    """The fields of a result that leaves its process: agents and guardrails by name alone."""
    memo: dict[int, Any] = {}
    agents = _agents(env) if env is not None else ()
    memo.update((id(agent), Agent(name=agent.name)) for agent in agents)
    for results in fields.values():
        for result in results if isinstance(results, list) else ():  # pyright: ignore[reportUnknownVariableType]
            guardrail: Any = getattr(result, "guardrail", None)  # pyright: ignore[reportUnknownArgumentType]
            if isinstance(guardrail, Check) and is_dataclass(guardrail):
                named = replace(guardrail, guardrail_function=_left, name=guardrail.get_name())
                memo[id(guardrail)] = named
    return {name: copy.deepcopy(value, memo) for name, value in fields.items()}


def _agents(env: RunEnv) -> Iterable[Agent]:
    behind_tools = (each for found in reachable(env.agents.first).values() for each in found)
    return [*env.agents.known().values(), *behind_tools]


def _own(value: object, memo: dict[int, Any]) -> Any:
    before = set(memo)
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001  # a caller's context may hold anything
        for key in memo.keys() - before:  # What a copy that fails has begun is nobody's.
            del memo[key]
        return value


def _left(*_: object) -> Never:
    raise RuntimeError("This guardrail came out of a pickle: it has its name and not its function.")
