"""Tools whose input is free text, possibly bound to a grammar, in place of JSON arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from outlast.core.shown import shown
from outlast.definitions.context import ToolContext
from outlast.definitions.tool_callers import (
    ApprovalFunction,
    CustomDataExtractor,
    OnApprovalFunction,
    OnApprovalFunctionResult,
    ToolCaller,
    check_callers,
)
from outlast.definitions.tool_output import answer_item

if TYPE_CHECKING:
    from openai.types.responses import CustomToolParam


CustomToolOnApprovalFunctionResult = OnApprovalFunctionResult
CustomToolOnApprovalFunction = OnApprovalFunction
CustomToolApprovalFunction = ApprovalFunction[str]
CustomToolExecutor = Callable[[ToolContext, str], Awaitable[Any] | Any]


@dataclass(frozen=True)
class CustomToolCustomDataContext:
    """What `CustomTool.custom_data_extractor` gets to see of a finished call."""

    tool_context: ToolContext
    tool: CustomTool
    input: str
    output: str
    raw_item: Mapping[str, Any]


CustomToolCustomDataExtractor = CustomDataExtractor[CustomToolCustomDataContext]


@dataclass
class CustomTool:
    """A tool that gets the model's text as it is."""

    type: ClassVar[str] = "custom"
    """The type of the tool in the API."""

    name: str
    description: str
    on_invoke_tool: CustomToolExecutor
    format: object | None = None
    """The grammar of the input, in the API's form; None for any text."""
    needs_approval: bool | CustomToolApprovalFunction = False
    on_approval: CustomToolOnApprovalFunction | None = None
    defer_loading: bool = False
    _: KW_ONLY
    custom_data_extractor: CustomToolCustomDataExtractor | None = None
    allowed_callers: list[ToolCaller] | None = None
    tool_config: CustomToolParam = field(init=False, repr=False)
    """The tool as the API wants it."""

    def __post_init__(self) -> None:
        check_callers(f"custom tool {self.name!r}", self.allowed_callers)
        config: Any = {"type": "custom", "name": self.name, "description": self.description}
        if self.format is not None:
            config["format"] = self.format
        if self.defer_loading:
            config["defer_loading"] = True
        if self.allowed_callers is not None:
            config["allowed_callers"] = list(self.allowed_callers)
        self.tool_config = config

    def runtime_needs_approval(self) -> bool | CustomToolApprovalFunction:
        """Who decides whether a call has to wait for a person."""
        return self.needs_approval

    def runtime_on_approval(self) -> CustomToolOnApprovalFunction | None:
        """Who may answer in that person's stead."""
        return self.on_approval


def custom_output_item(call_id: str, output: object, caller: object = None) -> dict[str, Any]:
    """The item that answers a custom tool's call."""
    return answer_item("custom_tool_call_output", call_id, output=shown(output), caller=caller)
