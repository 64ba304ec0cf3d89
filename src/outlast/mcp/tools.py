"""The tools of an agent's MCP servers. `Agent.get_mcp_tools` finds this module by its name."""

from typing import Any

from outlast.core.errors import UserError
from outlast.definitions.tool import Tool
from outlast.mcp import HINT


async def agent_tools(agent: Any, run_context: Any) -> list[Tool]:
    """The tools of the servers of ``agent``.

    Raises:
        UserError: There are servers.
    """
    del run_context
    raise UserError(f"Agent {agent.name!r} has mcp_servers. {HINT}")
