"""What a run added to its conversation, as users see it; and what a model answered.

An item wraps `raw_item`, an `openai` object or the same thing as a dict, and says whose it is.
"""

from __future__ import annotations

import json
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, cast

from typing_extensions import TypeVar

from outlast.core.approval_events import RequestRules
from outlast.core.errors import AgentsException
from outlast.definitions.approvals import field_of, qualified
from outlast.definitions.pydantic_support import PydanticInstance, imported_later
from outlast.definitions.tool_output import tool_output_item

if TYPE_CHECKING:
    from openai.types.responses import (
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseReasoningItem,
    )
    from openai.types.responses.response_input_item_param import FunctionCallOutput
    from openai.types.responses.response_output_item import McpApprovalRequest, McpListTools
    from pydantic import TypeAdapter

    from outlast.core.usage import Usage
    from outlast.definitions.openai_types import (
        ToolApprovalRawItem,
        ToolCallItemTypes,
        ToolCallOutputTypes,
        ToolSearchCallRawItem,
        ToolSearchOutputRawItem,
        TResponseInputItem,
        TResponseOutputItem,
    )

T = TypeVar("T", default=Any)

__getattr__ = imported_later(
    __name__,
    "outlast.definitions.openai_types",
    {
        "TResponse", "TResponseInputItem", "TResponseOutputItem", "TResponseStreamEvent",
        "ToolApprovalRawItem", "ToolCallItemTypes", "ToolCallOutputTypes", "ToolSearchCallRawItem",
        "ToolSearchOutputRawItem",
    },
)  # fmt: skip


def input_item(raw: Any) -> TResponseInputItem:
    """What stands for `raw` in a model's input: only what was set, without the provider's notes.

    Raises:
        AgentsException: `raw` is neither a mapping nor an `openai` object.
    """
    if isinstance(raw, Mapping):
        item: dict[str, Any] = dict(cast("Mapping[str, Any]", raw))
    elif hasattr(raw, "model_dump"):
        item = raw.model_dump(exclude_unset=True)
    else:
        raise AgentsException(f"Unexpected raw item type: {type(raw)}")
    item.pop("created_by", None)
    if item.get("type") == "shell_call_output" and isinstance(item.get("output"), list):
        item["output"] = [_without_author(each) for each in item["output"]]
    return cast("TResponseInputItem", item)


def _without_author(chunk: Any) -> Any:
    if not isinstance(chunk, dict):
        return chunk
    chunk = cast("dict[str, Any]", chunk)
    return {key: value for key, value in chunk.items() if key != "created_by"}


@dataclass
class RunItemBase(PydanticInstance, Generic[T]):
    """One item, and the agent that it belongs to."""

    agent: Any
    raw_item: T

    def release_agent(self) -> None:
        """Hold the item's agents by weak reference from now on.

        They stay readable for as long as somebody else keeps them, and are None afterwards.
        """
        kept = self.__dict__
        for name in ("agent", "source_agent", "target_agent"):
            agent = kept.pop(name, None)
            if agent is not None:
                kept["_released_" + name] = weakref.ref(agent)

    def __getattr__(self, name: str) -> Any:
        released = self.__dict__.get("_released_" + name)
        if released is not None:
            return released()
        if name in type(self).__dataclass_fields__:
            return None
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_input_item(self) -> TResponseInputItem:
        """What stands for this item in a model's input."""
        return input_item(self.raw_item)


class _OfCall(RunItemBase):
    """An item that belongs to a call of a tool."""

    @property
    def call_id(self) -> str | None:
        """What ties a call to its output."""
        return _text(self.raw_item, "call_id") or _text(self.raw_item, "id")


@dataclass
class InputItem(RunItemBase["TResponseInputItem"]):
    """Input that was added to a run while it waited."""

    type: Literal["input_item"] = "input_item"
    input_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class MessageOutputItem(RunItemBase):
    """A message from the model."""

    raw_item: ResponseOutputMessage
    type: Literal["message_output_item"] = "message_output_item"


@dataclass
class ToolSearchCallItem(RunItemBase):
    """The model looked for tools."""

    raw_item: ToolSearchCallRawItem
    type: Literal["tool_search_call_item"] = "tool_search_call_item"


@dataclass
class ToolSearchOutputItem(RunItemBase):
    """The tools that a search found."""

    raw_item: ToolSearchOutputRawItem
    type: Literal["tool_search_output_item"] = "tool_search_output_item"


@dataclass
class HandoffCallItem(RunItemBase):
    """The model asked to hand the conversation to another agent."""

    raw_item: ResponseFunctionToolCall
    type: Literal["handoff_call_item"] = "handoff_call_item"


@dataclass
class HandoffOutputItem(RunItemBase["TResponseInputItem"]):
    """The conversation went to another agent."""

    source_agent: Any
    target_agent: Any
    type: Literal["handoff_output_item"] = "handoff_output_item"


@dataclass
class ToolCallItem(_OfCall):
    """The model called a tool."""

    raw_item: ToolCallItemTypes
    type: Literal["tool_call_item"] = "tool_call_item"
    description: str | None = None
    title: str | None = None
    tool_origin: Any | None = None

    @property
    def tool_name(self) -> str | None:
        """The name of the tool, where the call has one, or is of a kind with only one tool."""
        return _text(self.raw_item, "name") or _OWN_NAMES.get(_text(self.raw_item, "type") or "")


_OWN_NAMES = {
    "computer_call": "computer_use_preview",
    "shell_call": "shell",
    "local_shell_call": "local_shell",
    "apply_patch_call": "apply_patch",
}


@dataclass
class ToolCallOutputItem(_OfCall):
    """What a tool answered: `output` as the tool returned it, `raw_item` as the model sees it."""

    raw_item: ToolCallOutputTypes
    output: Any
    type: Literal["tool_call_output_item"] = "tool_call_output_item"
    tool_origin: Any | None = None
    custom_data: dict[str, Any] | None = None

    def to_input_item(self) -> TResponseInputItem:
        """What stands for this item in a model's input."""
        item = input_item(self.raw_item)
        if item.get("type") == "shell_call_output" and type(self.raw_item) is dict:
            # Kept for the caller; the API refuses them.
            for name in ("status", "shell_output", "provider_data"):
                cast("dict[str, Any]", item).pop(name, None)
        return item


@dataclass
class ReasoningItem(RunItemBase):
    """What the model thought."""

    raw_item: ResponseReasoningItem
    type: Literal["reasoning_item"] = "reasoning_item"


@dataclass
class MCPListToolsItem(RunItemBase):
    """The tools of an MCP server that the provider calls."""

    raw_item: McpListTools
    type: Literal["mcp_list_tools_item"] = "mcp_list_tools_item"


@dataclass
class MCPApprovalRequestItem(RunItemBase):
    """The provider asks whether it may call an MCP tool."""

    raw_item: McpApprovalRequest
    type: Literal["mcp_approval_request_item"] = "mcp_approval_request_item"


@dataclass
class MCPApprovalResponseItem(RunItemBase):
    """The answer to an `MCPApprovalRequestItem`."""

    type: Literal["mcp_approval_response_item"] = "mcp_approval_response_item"


@dataclass
class CompactionItem(RunItemBase["TResponseInputItem"]):
    """What the provider made of a longer history."""

    type: Literal["compaction_item"] = "compaction_item"

    def to_input_item(self) -> TResponseInputItem:
        """The item unchanged: it is the provider's own and opaque."""
        return cast("TResponseInputItem", dict(cast("Mapping[str, Any]", self.raw_item)))


@dataclass(eq=False)
class ToolApprovalItem(_OfCall):
    """A call that waits for a person."""

    raw_item: ToolApprovalRawItem
    tool_name: str | None = None
    type: Literal["tool_approval_item"] = "tool_approval_item"
    tool_namespace: str | None = None
    tool_origin: Any | None = None
    tool_lookup_key: Any | None = field(default=None, kw_only=True)
    is_in_doubt: bool = field(default=False, kw_only=True)
    """Whether it began already, and nobody knows how it ended: a yes runs it again."""
    change: str = field(default="", kw_only=True)
    """What has become another one since a person approved the tool; empty if nothing has."""
    question: str | None = field(default=None, kw_only=True)
    """What the tool asks, where it waits for an answer: see `ToolContext.ask`."""
    choices: tuple[str, ...] = field(default=(), kw_only=True)
    """What may be answered; empty for anything."""
    rules: RequestRules | None = field(default=None, kw_only=True)
    """Who may decide, and until when."""
    question_number: int = field(default=1, kw_only=True)
    """How often the call has asked, this time included."""
    call_key: str = field(default="", kw_only=True)
    """The call's id in the run that is told the decision: that of a nested run's call is longer."""
    _allow_bare_name_alias: bool = field(default=False, kw_only=True, repr=False)

    def __eq__(self, other: object) -> bool:
        return self is other  # Two calls that look alike wait for two decisions.

    def __hash__(self) -> int:
        return id(self)

    def __post_init__(self) -> None:
        if self.tool_name is None:
            self.tool_name = _text(self.raw_item, "name")
        if self.tool_namespace is None:
            self.tool_namespace = _text(self.raw_item, "namespace")

    @property
    def name(self) -> str | None:
        """The name of the tool."""
        return self.tool_name or _text(self.raw_item, "name")

    @property
    def qualified_name(self) -> str | None:
        """The name of the tool, behind its namespace if it has one."""
        return qualified(self.name, self.tool_namespace) if self.name else None

    @property
    def question_id(self) -> str:
        """What a decision about this is told as: no later question of the call has this id."""
        return f"{self.call_key or self.call_id}@{self.question_number}"

    @property
    def arguments(self) -> str | None:
        """What the tool is to be called with."""
        for name in ("arguments", "params", "input"):
            found = field_of(self.raw_item, name)
            if found is not None:
                return found if isinstance(found, str) else json.dumps(found, default=str)
        return None

    def to_input_item(self) -> TResponseInputItem:
        """Never: a model does not see that its call waits."""
        raise AgentsException(
            "ToolApprovalItem cannot be converted to an input item. Leave it out of the input;"
            " the call that it is about is an item of its own."
        )


RunItem: TypeAlias = (
    InputItem | MessageOutputItem | ToolSearchCallItem | ToolSearchOutputItem | HandoffCallItem
    | HandoffOutputItem | ToolCallItem | ToolCallOutputItem | ReasoningItem | MCPListToolsItem
    | MCPApprovalRequestItem | MCPApprovalResponseItem | CompactionItem | ToolApprovalItem
)  # fmt: skip


def _text(raw: Any, name: str) -> str | None:
    found = field_of(raw, name)
    return found if isinstance(found, str) else None


def coerce_tool_search_call_raw_item(raw_item: Any) -> ToolSearchCallRawItem:
    """A tool search call as `openai`'s object, or as a dict where it lacks what that needs."""
    return _tool_search(raw_item, "tool_search_call", "call", "ResponseToolSearchCall")


def coerce_tool_search_output_raw_item(raw_item: Any) -> ToolSearchOutputRawItem:
    """A tool search output as `openai`'s object, or as a dict where it lacks what that needs."""
    return _tool_search(raw_item, "tool_search_output", "output", "ResponseToolSearchOutputItem")


def _tool_search(raw: Any, kind: str, noun: str, name: str) -> Any:
    found = field_of(raw, "type")
    if found != kind:
        what = repr(found) if found is not None else f"<class '{type(raw).__name__}'>"
        raise AgentsException(f"Unexpected tool search {noun} item type: {what}")
    if not isinstance(raw, Mapping):
        return raw
    from openai.types import responses
    from pydantic import ValidationError

    try:
        return getattr(responses, name).model_validate(raw)
    except ValidationError:
        return dict(cast("Mapping[str, Any]", raw))


@dataclass
class ModelResponse(PydanticInstance):
    """What one call of a model came to."""

    output: list[TResponseOutputItem]
    usage: Usage
    response_id: str | None
    """For `previous_response_id`, where the provider keeps responses."""
    request_id: str | None = None
    """For the provider's support."""
    raw_usage: dict[str, Any] | None = None
    """The provider's own usage object, if `ModelSettings.preserve_raw_usage` is set."""

    def to_input_items(self) -> list[TResponseInputItem]:
        """What stands for the answer in a later call's input."""
        return [input_item(each) for each in self.output]


class ItemHelpers:
    """Questions about items and messages."""

    @classmethod
    def extract_last_content(cls, message: TResponseOutputItem) -> str:
        """The text or refusal that a message ends with; empty for anything else."""
        part = (_message_content(message) or [None])[-1]
        return field_of(part, "text") or field_of(part, "refusal") or ""

    @classmethod
    def extract_last_text(cls, message: TResponseOutputItem) -> str | None:
        """The text that a message ends with; None if it ends with something else."""
        part = (_message_content(message) or [None])[-1]
        return field_of(part, "text") if field_of(part, "type") == "output_text" else None

    @classmethod
    def extract_text(cls, message: TResponseOutputItem) -> str | None:
        """All text of a message; None if it has none."""
        return _text_of_parts(message, "output_text", "text")

    @classmethod
    def extract_refusal(cls, message: TResponseOutputItem) -> str | None:
        """All refusals of a message; None if it has none."""
        return _text_of_parts(message, "refusal", "refusal")

    @classmethod
    def input_to_new_input_list(
        cls,
        input: str | list[TResponseInputItem],
    ) -> list[TResponseInputItem]:
        """Input as a list of items that shares nothing with the original."""
        if isinstance(input, str):
            return [{"content": input, "role": "user"}]
        return [cast("TResponseInputItem", _plain(each)) for each in input]

    @classmethod
    def text_message_outputs(cls, items: list[RunItem]) -> str:
        """The text of all messages among some items."""
        messages = [each for each in items if isinstance(each, MessageOutputItem)]
        return "".join(cls.text_message_output(each) for each in messages)

    @classmethod
    def text_message_output(cls, message: MessageOutputItem) -> str:
        """The text of a message."""
        return cls.extract_text(message.raw_item) or ""

    @classmethod
    def tool_call_output_item(
        cls,
        tool_call: ResponseFunctionToolCall,
        output: Any,
        *,
        output_json_schema: dict[str, Any] | None = None,
        output_type_adapter: TypeAdapter[Any] | None = None,
    ) -> FunctionCallOutput:
        """The item that answers a function call.

        Args:
            tool_call: The call.
            output: What the tool returned.
            output_json_schema: The schema that the tool declares for its results, if any.
            output_type_adapter: The type behind that schema.
        """
        made = tool_output_item(
            tool_call.call_id,
            output,
            caller=_plain(field_of(tool_call, "caller")),
            output_json_schema=output_json_schema,
            output_type_adapter=output_type_adapter,
        )
        return cast("FunctionCallOutput", made)

    @classmethod
    def copy_tool_call_caller(cls, tool_call: Any, output_item: Any) -> Any:
        """`output_item` with the note of which program made `tool_call`, if one did."""
        caller = field_of(tool_call, "caller")
        if caller is None:
            return output_item
        return {**output_item, "caller": _plain(caller)}


def _message_content(message: Any) -> list[Any]:
    kind = field_of(message, "type")
    if kind is None and not isinstance(message, Mapping):
        # `model_construct` does not fill in a message's type.
        kind = "message" if field_of(message, "role") == "assistant" else None
    return field_of(message, "content") or [] if kind == "message" else []


def _text_of_parts(message: Any, kind: str, name: str) -> str | None:
    parts = (each for each in _message_content(message) if field_of(each, "type") == kind)
    return "".join(field_of(each, name) or "" for each in parts) or None


def _plain(value: Any) -> Any:
    """A deep copy in JSON's types only, as far as that goes."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, str | int | float | bytes) or value is None:
        return value
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_unset=True)
    # A list, or the one-way iterator that pydantic leaves in its place.
    if hasattr(value, "__iter__"):
        return [_plain(each) for each in value]
    return value
