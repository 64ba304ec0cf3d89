"""Where a tool came from, as the items of its calls tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, cast


class ToolOriginType(str, Enum):  # noqa: UP042 (upstream's bases)
    """The kinds of places that function tools come from."""

    FUNCTION = "function"
    MCP = "mcp"
    AGENT_AS_TOOL = "agent_as_tool"


@dataclass(frozen=True)
class ToolOrigin:
    """Where a tool came from. Fields that the kind has no use for are None."""

    type: ToolOriginType
    mcp_server_name: str | None = None
    agent_name: str | None = None
    agent_tool_name: str | None = None

    def to_json_dict(self) -> dict[str, str]:
        """Its JSON form, without what is None."""
        facts = {**self.__dict__, "type": self.type.value}
        return {name: value for name, value in facts.items() if value is not None}

    @classmethod
    def from_json_dict(cls, data: object) -> ToolOrigin | None:
        """What `to_json_dict` wrote; None for anything else."""
        if not isinstance(data, Mapping):
            return None
        given = cast("Mapping[str, Any]", data)
        try:
            kind = ToolOriginType(given.get("type"))
        except ValueError:
            return None
        names = {each.name for each in fields(cls)} - {"type"}
        return cls(kind, **{k: v for k, v in given.items() if k in names and isinstance(v, str)})


@dataclass(frozen=True, slots=True)
class MCPSource:
    """Which tool of which MCP server a function tool stands for, whatever the model calls it."""

    server: str
    tool: str
    fingerprint: str
    """A hash of what the server says about it."""
    is_read_only: bool | None = None
    """Whether the server says that it changes nothing; None if it says neither."""
    hints: str = ""
    """A hash of its title and its annotations alone; empty if unknown."""
    identity: str = ""
    """A hash of how the server is reached, which tells it from others of its name; empty if unknown."""
