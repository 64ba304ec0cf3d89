"""What a streamed run reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from outlast.definitions.openai_types import TResponseStreamEvent
    from outlast.definitions.run_items import RunItem

RunItemEventName = Literal[
    "message_output_created", "handoff_requested", "handoff_occured", "tool_called",
    "tool_search_called", "tool_search_output_created", "tool_output", "reasoning_item_created",
    "mcp_approval_requested", "mcp_approval_response", "mcp_list_tools",
]  # fmt: skip


@dataclass
class RawResponsesStreamEvent:
    """An event of the model's own stream, as it came."""

    data: TResponseStreamEvent
    type: Literal["raw_response_event"] = "raw_response_event"


@dataclass
class RunItemStreamEvent:
    """The run has a new item."""

    name: RunItemEventName
    item: RunItem
    type: Literal["run_item_stream_event"] = "run_item_stream_event"


@dataclass
class AgentUpdatedStreamEvent:
    """Another agent leads the run from here on; the first event names the first agent."""

    new_agent: Any
    type: Literal["agent_updated_stream_event"] = "agent_updated_stream_event"


@dataclass
class ToolProgressStreamEvent:
    """A tool says how far it has come. It is live only: the log does not keep it."""

    tool_name: str
    call_id: str
    progress: float
    total: float | None = None
    message: str | None = None
    type: Literal["tool_progress_event"] = "tool_progress_event"


StreamEvent: TypeAlias = (
    RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent | ToolProgressStreamEvent
)
