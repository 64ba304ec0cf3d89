"""MCP: servers whose tools an agent has, and agents as servers. Nothing is loaded before it is used."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "errors": (
        "MCPCommandNotAllowed MCPCommandNotFound MCPConnectionError MCPListingError MCPRequestError "
        "MCPTimeoutError MCPTooLargeError"
    ),
    "manager": "MCPServerManager",
    "policies": (
        "LocalMCPApprovalCallable RequireApprovalMapping RequireApprovalObject RequireApprovalPolicy "
        "RequireApprovalSetting RequireApprovalToolList ToolFilter ToolFilterCallable "
        "ToolFilterContext ToolFilterStatic UncertainSetting create_static_tool_filter"
    ),
    "protocol": (
        "MCPServer MCPToolCustomDataContext MCPToolCustomDataExtractor MCPToolMetaContext "
        "MCPToolMetaResolver"
    ),
    "servers": (
        "MCPServerSse MCPServerSseParams MCPServerStdio MCPServerStdioParams MCPServerStreamableHttp "
        "MCPServerStreamableHttpParams"
    ),
    "serving": "agent_as_mcp_server",
    "functions": "MCPUtil",
}
_MODULES = {name: module for module, names in _PUBLIC.items() for name in names.split()}

__all__ = sorted(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll] # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first use."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'outlast.mcp' has no attribute {name!r}", name=name)
    return getattr(import_module(f"outlast.mcp.{module}"), name)


def __dir__() -> list[str]:
    return __all__
