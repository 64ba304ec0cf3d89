"""The tools of an agent's MCP servers. `Agent.get_mcp_tools` finds this module by its name."""

from typing import Any

from outlast.definitions.enabled import enabled
from outlast.definitions.function_tool import default_tool_error_function
from outlast.definitions.tool import Tool
from outlast.mcp.functions import MCPUtil, reserved_names


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
    return await MCPUtil.get_all_function_tools(
        agent.mcp_servers,
        config.get("convert_schemas_to_strict", False),
        run_context,
        agent,
        config.get("failure_error_function", default_tool_error_function),
        has_prefix,
        reserved,
    )
