# Written by `python tests/public_names.py`. The module has no file.
from outlast.mcp import HINT as HINT
from outlast.mcp import MCPMissing as MCPMissing
