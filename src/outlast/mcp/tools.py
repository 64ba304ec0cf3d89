"""The tools of an agent's MCP servers. `Agent.get_mcp_tools` finds this module by its name."""

from __future__ import annotations

from operator import is_
from sys import intern
from typing import Any

from outlast.definitions.enabled import enabled
from outlast.definitions.function_tool import FunctionTool, default_tool_error_function
from outlast.definitions.tool import Tool
from outlast.mcp.functions import MCPUtil, reserved_names
from outlast.mcp.names import public_name
from outlast.mcp.session import SessionServer
from outlast.tracing import mcp_tools_span

MAX_OFFERS = 8
"""How many ways of offering the same lists are kept."""
_SETTINGS = (
    "tool_filter", "approval", "_failure_error_function", "on_uncertain", "custom_data_extractor",
    "tool_input_guardrails", "tool_output_guardrails", "name",
)  # fmt: skip
"""What of a server goes into its tools."""


async def agent_tools(agent: Any, run_context: Any) -> list[Tool]:
    """The tools of the servers of ``agent``.

    Raises:
        UserError: A server has no connection, or two have a tool of the same name.
    """
    offer = _known_offer(agent)
    if offer is None:
        offer = Offer(agent, await _made_tools(agent, run_context))
        offer.share()
    object.__setattr__(agent, "_mcp_offer", offer)
    return [*offer.tools]


async def _made_tools(agent: Any, run_context: Any) -> list[Tool]:
    config = agent.mcp_config
    has_prefix = config.get("include_server_in_tool_names", False)
    reserved = set[str]()
    if has_prefix:
        own = await enabled(agent.tools, run_context, agent)
        reserved = reserved_names(agent, own, getattr(agent, "handoffs", ()))
    return await MCPUtil.get_all_function_tools(
        agent.mcp_servers,
        config.get("convert_schemas_to_strict", False),
        run_context,
        agent,
        config.get("failure_error_function", default_tool_error_function),
        has_prefix,
        reserved,
    )


def _known_offer(agent: Any) -> Offer | None:
    """What was made for another run or agent of what the same servers listed; None if nothing was."""
    first = agent.mcp_servers[0]
    if not isinstance(first, SessionServer):
        return None
    offer = next((each for each in first.offers if each.tools_of(agent) is not None), None)
    if offer is not None:
        for server in agent.mcp_servers:
            offer.trace(public_name(server.name))
    return offer


class Offer:
    """Tools that were made of what servers listed, and all that they were made from.

    Making two hundred tools takes as long as ten turns. So they are made again only when something has
    changed: a list, a filter, a setting. What is compared is compared by identity, each turn.
    """

    def __init__(self, agent: Any, tools: list[Tool]) -> None:
        self.tools = tools
        self._facts = _facts(agent)
        self._is_of_one_agent = any(callable(server.approval) for server in agent.mcp_servers)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # A copy of its agent makes its own.

    def tools_of(self, agent: Any) -> list[Tool] | None:
        """The tools, if nothing has changed; None if that is not known."""
        if self._facts is None:
            return None
        now = _facts(agent)
        if now is None or len(now) != len(self._facts) or not all(map(is_, now, self._facts)):
            return None
        return self.tools

    def trace(self, server: str) -> None:
        """Write the span that listing the tools of ``server`` has."""
        sources = [tool.mcp_source for tool in self.tools if isinstance(tool, FunctionTool)]
        with mcp_tools_span(server=server) as span:
            span.span_data.result = [
                each.tool for each in sources if each and each.server == server
            ]

    def share(self) -> None:
        """Let other runs and agents have the tools, too, for whom they would be made alike."""
        if self._facts is not None and not self._is_of_one_agent:
            server = self._facts[0]
            server.offers = (self, *server.offers[: MAX_OFFERS - 1])


def _facts(agent: Any) -> list[Any] | None:
    """What an agent's tools of servers are made from; None if a server has to be asked."""
    facts: list[Any] = []
    for server in agent.mcp_servers:
        listed = server.steady() if isinstance(server, SessionServer) else None
        if listed is None:
            return None
        facts += (server, listed, *(getattr(server, name) for name in _SETTINGS))
        if callable(server.approval):
            facts.append(agent)  # Whom its function is told.
    for key, setting in sorted(agent.mcp_config.items()):
        facts += (intern(key), setting)
    if agent.mcp_config.get("include_server_in_tool_names"):
        for thing in (*agent.tools, *getattr(agent, "handoffs", ())):
            facts += (thing, getattr(thing, "name", None), getattr(thing, "tool_name", None))
    return facts
