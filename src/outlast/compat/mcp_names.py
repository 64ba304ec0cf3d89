"""Names about the `mcp` library's versions, for code that knows openai-agents' insides."""

from typing import Any, TypeAlias

from outlast.mcp.library import is_v2, protocol_error, timeout_code, value

MCP_V2 = is_v2()
MCPError = protocol_error()
MCPStreamTransport: TypeAlias = tuple[Any, ...]
"""What a transport gives: a stream to read from, one to write to, and perhaps the session's id."""
mcp_request_timeout_code = timeout_code


def result_next_cursor(result: Any) -> str | None:
    """Where the page behind ``result`` begins."""
    return value(result, "next_cursor")
