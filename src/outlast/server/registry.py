"""The agents that a server has, by their names and by how addresses spell these."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from outlast.core.errors import UserError, WrongType
from outlast.definitions.agent import Agent
from outlast.definitions.function_tool import FunctionTool
from outlast.definitions.handoff import Handoff, handoff_target
from outlast.definitions.output import AgentOutputSchema, AgentOutputSchemaBase


def slug(name: str) -> str:
    """A name as addresses spell it."""
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-") or "agent"


class Agents:
    """The agents that runs can begin with."""

    def __init__(self, agents: Iterable[Agent[Any]]) -> None:
        self.by_name: dict[str, Agent[Any]] = {}
        self._by_slug: dict[str, Agent[Any]] = {}
        for agent in agents:
            self.add(agent)

    def add(self, agent: Agent[Any], name: str = "") -> None:
        """Serve an agent, under its own name or another one.

        Raises:
            UserError: Another agent has that name.
        """
        if not isinstance(agent, Agent):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise WrongType(f"A server serves agents, got {type(agent).__name__}.")
        if (known := self._by_slug.get(slug(name or agent.name), agent)) is not agent:
            raise UserError(
                f"The agents {known.name!r} and {agent.name!r} would have one address, "
                f"{slug(agent.name)!r}. Rename one of them."
            )
        self._by_slug[slug(name or agent.name)] = self.by_name[agent.name] = agent

    def find(self, name: str) -> Agent[Any] | None:
        """The agent of that name, or with that address; the only one, if no name is said."""
        if not name and len(self.by_name) == 1:
            return next(iter(self.by_name.values()))
        return self.by_name.get(name) or self._by_slug.get(slug(name)) if name else None

    def slugs(self) -> dict[str, Agent[Any]]:
        """All agents, by address."""
        return dict(self._by_slug)


def described(address: str, agent: Agent[Any]) -> dict[str, Any]:
    """What clients are told of an agent."""
    targets = [handoff_target(x) if isinstance(x, Handoff) else x for x in agent.handoffs]
    return {
        "id": address,
        "name": agent.name,
        "description": agent.handoff_description or "",
        "model": agent.model if isinstance(agent.model, str) else _class_name(agent.model),
        "tools": [_tool(tool) for tool in agent.tools],
        "handoffs": [target.name for target in targets if target is not None],
        "output_schema": output_schema(agent),
    }


def _class_name(model: object) -> str | None:
    return None if model is None else str(getattr(model, "model", type(model).__name__))


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, FunctionTool):
        return {"name": str(getattr(tool, "name", type(tool).__name__)), "type": "hosted"}
    needs = tool.needs_approval
    return {
        "name": tool.name,
        "type": "function",
        "description": tool.description,
        "parameters": tool.params_json_schema,
        "needs_approval": needs if isinstance(needs, bool) else "sometimes",
    }


def output_schema(agent: Agent[Any]) -> dict[str, Any] | None:
    """What the agent answers in; None for text."""
    wanted: Any = agent.output_type
    if wanted is None or wanted is str:
        return None
    schema = wanted if isinstance(wanted, AgentOutputSchemaBase) else AgentOutputSchema(wanted)
    return schema.json_schema() if not schema.is_plain_text() else None
