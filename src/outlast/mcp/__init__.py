"""MCP servers, which Outlast cannot talk to by itself yet: their names lead to an error that says so."""

from typing import NoReturn

from outlast.core.errors import UserError

HINT = (
    "Outlast cannot talk to MCP servers by itself yet. Let the provider do it, with "
    'HostedMCPTool(tool_config={"type": "mcp", "server_label": ..., "server_url": ...}) among the '
    "agent's tools, or call the server in a function tool of your own."
)
"""What is missing, and what to do instead."""


class MCPMissing(UserError, ImportError):
    """A name of this package was asked for that does not exist yet."""


def __getattr__(name: str) -> NoReturn:
    if name.startswith("_") or name == "tools":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    raise MCPMissing(f"There is no {name!r} here. {HINT}")
