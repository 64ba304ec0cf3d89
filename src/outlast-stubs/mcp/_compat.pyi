# Written by `python tests/public_names.py`. The module has no file.
from outlast.compat.mcp_names import MCPError as MCPError
from outlast.compat.mcp_names import MCPStreamTransport as MCPStreamTransport
from outlast.compat.mcp_names import MCP_V2 as MCP_V2
from outlast.compat.mcp_names import mcp_request_timeout_code as mcp_request_timeout_code
from outlast.compat.mcp_names import result_next_cursor as result_next_cursor
