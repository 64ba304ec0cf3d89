"""Where a tool came from, as the items of its calls tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
        fields = {
            "type": self.type.value,
            "mcp_server_name": self.mcp_server_name,
            "agent_name": self.agent_name,
            "agent_tool_name": self.agent_tool_name,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def from_json_dict(cls, data: Any) -> ToolOrigin | None:
        """What `to_json_dict` wrote; None for anything else."""
        if not isinstance(data, Mapping):
            return None
        fields = cast("Mapping[str, Any]", data)
        try:
            kind = ToolOriginType(fields.get("type"))
        except ValueError:
            return None
        names = {name: fields.get(name) for name in _NAMES}
        return cls(kind, **{k: v if isinstance(v, str) else None for k, v in names.items()})


_NAMES = ("mcp_server_name", "agent_name", "agent_tool_name")
