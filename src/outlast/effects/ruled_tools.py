"""Approval rules about tools that nobody has: a mistyped name protects nothing, so it is said."""

from __future__ import annotations

from typing import Any

from outlast.definitions.agent import Agent
from outlast.definitions.approval_rules import every_rule
from outlast.definitions.handoff import Handoff
from outlast.definitions.hosted_tools import HostedMCPTool
from outlast.definitions.logger import logger
from outlast.effects.config import RunConfig
from outlast.effects.registry import reachable

_MOST_SAID = 200
_SAID: set[tuple[str, ...]] = set()
"""What was said in this process: not once more with each run."""


def warn_of_rules(first: Agent, config: RunConfig) -> None:
    """Say once which names in a run's approval rules are those of no tool.

    Nothing is said while not all tools are known: those of MCP servers are once they were listed.

    Args:
        first: The run's first agent.
        config: The run's settings, with its rules.
    """
    rules: Any = every_rule(config.approval_rules)
    named = {name for rule in rules for name in rule.tools}
    if not named or (known := _known_names(first)) is None:
        return
    unknown = tuple(sorted(named - known))
    if not unknown or (first.name, *unknown) in _SAID:
        return
    if len(_SAID) >= _MOST_SAID:
        _SAID.clear()
    _SAID.add((first.name, *unknown))
    logger.warning(
        "ApprovalRules(tools=...) names tools that neither agent %r nor any that it leads to has: %s. "
        "They have: %s. No rule holds for a misspelt tool.",
        first.name,
        ", ".join(map(repr, unknown)),
        ", ".join(sorted(known)) or "none",
    )


def _known_names(first: Agent) -> set[str] | None:
    """The names of all tools that a run can call; None while that is not known."""
    found: set[str] = set()
    for agent in (each for group in reachable(first).values() for each in group):
        listed = agent.steady_mcp_tools()
        is_open = any(isinstance(to, Handoff) and to.target is None for to in agent.handoffs)
        if listed is None or is_open:
            return None
        for tool in (*listed, *agent.tools):
            if isinstance(tool, HostedMCPTool):
                return None
            found |= {tool.name, getattr(tool, "qualified_name", tool.name)}
    return found
