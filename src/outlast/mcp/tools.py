"""The tools of an agent's MCP servers. `Agent.get_mcp_tools` finds this module by its name."""

from __future__ import annotations

import weakref
from operator import is_
from typing import Any

from outlast.definitions.enabled import enabled
from outlast.definitions.function_tool import default_tool_error_function
from outlast.definitions.tool import Tool
from outlast.mcp.functions import MCPUtil, reserved_names
from outlast.mcp.session import SessionServer


async def agent_tools(agent: Any, run_context: Any) -> list[Tool]:
    """The tools of the servers of ``agent``.

    Raises:
        UserError: A server has no connection, or two have a tool of the same name.
    """
    config = agent.mcp_config
    has_prefix = config.get("include_server_in_tool_names", False)
    reserved = set[str]()
    if has_prefix:
        own = await enabled(agent.tools, run_context, agent)
        reserved = reserved_names(agent, own, getattr(agent, "handoffs", ()))
    tools = await MCPUtil.get_all_function_tools(
        agent.mcp_servers,
        config.get("convert_schemas_to_strict", False),
        run_context,
        agent,
        config.get("failure_error_function", default_tool_error_function),
        has_prefix,
        reserved,
    )
    object.__setattr__(agent, "_mcp_offer", Offer(agent, tools))
    return tools


class Offer:
    """Tools that were made of what servers listed, and all that they were made from.

    Making two hundred tools takes thirty times as long as the rest of a turn. So they are made again
    only when something has changed: a list, a filter, a setting. What is compared is compared by
    identity, each turn.
    """

    def __init__(self, agent: Any, tools: list[Tool]) -> None:
        self._agent = weakref.ref(agent)
        self._tools = tools
        self._facts = _facts(agent)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # A copy of its agent makes its own.

    def tools_of(self, agent: Any) -> list[Tool] | None:
        """The tools, if nothing has changed; None if that is not known."""
        if self._facts is None or self._agent() is not agent:
            return None
        now = _facts(agent)
        if now is None or len(now) != len(self._facts) or not all(map(is_, now, self._facts)):
            return None
        return self._tools


def _facts(agent: Any) -> list[Any] | None:
    """What an agent's tools of servers are made from; None if a server has to be asked."""
    config = agent.mcp_config
    facts: list[Any] = [config, *config.values()]
    for server in agent.mcp_servers:
        listed = server.steady() if isinstance(server, SessionServer) else None
        if listed is None:
            return None
        facts += (server, listed, server.tool_filter, server.approval)
    if config.get("include_server_in_tool_names"):
        for thing in (*agent.tools, *getattr(agent, "handoffs", ())):
            facts += (thing, getattr(thing, "name", None), getattr(thing, "tool_name", None))
    return facts
