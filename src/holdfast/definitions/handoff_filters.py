"""Ready-made input filters for handoffs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.definitions.approvals import field_of
from holdfast.definitions.handoff import HandoffInputData
from holdfast.definitions.handoff_history import (
    default_handoff_history_mapper,
    nest_handoff_history,
)
from holdfast.definitions.run_items import (
    HandoffCallItem,
    HandoffOutputItem,
    MCPApprovalRequestItem,
    MCPApprovalResponseItem,
    MCPListToolsItem,
    ReasoningItem,
    RunItem,
    ToolApprovalItem,
    ToolCallItem,
    ToolCallOutputItem,
    ToolSearchCallItem,
    ToolSearchOutputItem,
)

if TYPE_CHECKING:
    from holdfast.definitions.openai_types import TResponseInputItem

__all__ = ["default_handoff_history_mapper", "nest_handoff_history", "remove_all_tools"]

_ITEMS = (
    HandoffCallItem, HandoffOutputItem, MCPApprovalRequestItem, MCPApprovalResponseItem,
    MCPListToolsItem, ReasoningItem, ToolApprovalItem, ToolCallItem, ToolCallOutputItem,
    ToolSearchCallItem, ToolSearchOutputItem,
)  # fmt: skip
_TYPES = {
    "function_call", "function_call_output", "computer_call", "computer_call_output",
    "file_search_call", "web_search_call", "tool_search_call", "tool_search_output",
    "code_interpreter_call", "image_generation_call", "local_shell_call",
    "local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call",
    "apply_patch_call_output", "custom_tool_call", "custom_tool_call_output", "hosted_tool_call",
    "mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "program",
    "program_output", "reasoning",
}  # fmt: skip


def remove_all_tools(handoff_input_data: HandoffInputData) -> HandoffInputData:
    """The conversation without tools: no calls, no outputs, no handoffs, no reasoning about them."""
    data = handoff_input_data
    history = data.input_history
    return data.clone(
        input_history=history if isinstance(history, str) else _without_types(history),
        pre_handoff_items=_without_items(data.pre_handoff_items),
        new_items=_without_items(data.new_items),
        input_items=None if data.input_items is None else _without_items(data.input_items),
    )


def _without_items(items: tuple[RunItem, ...]) -> tuple[RunItem, ...]:
    return tuple(item for item in items if not isinstance(item, _ITEMS))


def _without_types(items: tuple[TResponseInputItem, ...]) -> tuple[Any, ...]:
    return tuple(item for item in items if field_of(item, "type") not in _TYPES)
