"""What Codex does in a turn, as its program reports it: one record for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeGuard

from outlast.extras.codex.records import Record, is_mapping

CommandExecutionStatus: TypeAlias = Literal["in_progress", "completed", "failed"]
PatchChangeKind: TypeAlias = Literal["add", "delete", "update"]
PatchApplyStatus: TypeAlias = Literal["completed", "failed"]
McpToolCallStatus: TypeAlias = Literal["in_progress", "completed", "failed"]
McpContentBlock: TypeAlias = Any


@dataclass(frozen=True)
class AgentMessageItem(Record):
    """What Codex says."""

    id: str
    text: str
    type: Literal["agent_message"] = field(default="agent_message", init=False)


@dataclass(frozen=True)
class ReasoningItem(Record):
    """What Codex thinks."""

    id: str
    text: str
    type: Literal["reasoning"] = field(default="reasoning", init=False)


@dataclass(frozen=True)
class CommandExecutionItem(Record):
    """A command that Codex runs."""

    id: str
    command: str
    status: CommandExecutionStatus
    aggregated_output: str = ""
    exit_code: int | None = None
    type: Literal["command_execution"] = field(default="command_execution", init=False)


@dataclass(frozen=True)
class FileUpdateChange(Record):
    """One file that was changed."""

    path: str
    kind: PatchChangeKind


@dataclass(frozen=True)
class FileChangeItem(Record):
    """Files that Codex changed at once."""

    id: str
    changes: list[FileUpdateChange]
    status: PatchApplyStatus
    type: Literal["file_change"] = field(default="file_change", init=False)


@dataclass(frozen=True)
class McpToolCallResult(Record):
    """What an MCP tool answered."""

    content: list[McpContentBlock]
    structured_content: Any


@dataclass(frozen=True)
class McpToolCallError(Record):
    """Why an MCP tool failed."""

    message: str


@dataclass(frozen=True)
class McpToolCallItem(Record):
    """A call of an MCP tool."""

    id: str
    server: str
    tool: str
    arguments: Any
    status: McpToolCallStatus
    result: McpToolCallResult | None = None
    error: McpToolCallError | None = None
    type: Literal["mcp_tool_call"] = field(default="mcp_tool_call", init=False)


@dataclass(frozen=True)
class WebSearchItem(Record):
    """A search in the web."""

    id: str
    query: str
    type: Literal["web_search"] = field(default="web_search", init=False)


@dataclass(frozen=True)
class TodoItem(Record):
    """One entry of Codex' plan."""

    text: str
    completed: bool


@dataclass(frozen=True)
class TodoListItem(Record):
    """Codex' plan."""

    id: str
    items: list[TodoItem]
    type: Literal["todo_list"] = field(default="todo_list", init=False)


@dataclass(frozen=True)
class ErrorItem(Record):
    """Something went wrong, and the turn goes on."""

    id: str
    message: str
    type: Literal["error"] = field(default="error", init=False)


@dataclass(frozen=True)
class UnknownItem(Record):
    """An item of a kind that this version does not know."""

    type: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    id: str | None = None


ThreadItem: TypeAlias = (
    AgentMessageItem
    | ReasoningItem
    | CommandExecutionItem
    | FileChangeItem
    | McpToolCallItem
    | WebSearchItem
    | TodoListItem
    | ErrorItem
    | UnknownItem
)

_Fields: TypeAlias = Mapping[str, Any]


def is_agent_message_item(item: ThreadItem) -> TypeGuard[AgentMessageItem]:
    """Whether ``item`` is something that Codex says."""
    return isinstance(item, AgentMessageItem)


def coerce_thread_item(raw: ThreadItem | Mapping[str, Any]) -> ThreadItem:
    """The record of an item's JSON.

    Raises:
        TypeError: It is no JSON object.
        KeyError: A field that its kind always has is missing.
    """
    if isinstance(raw, ThreadItem):
        return raw
    fields = mapping(raw, "Thread item payload")
    kind = fields.get("type") or "unknown"
    make = _KINDS.get(kind) if isinstance(kind, str) else None
    return make(fields) if make else UnknownItem(kind, fields, fields.get("id"))


def mapping(raw: Any, what: str) -> Mapping[str, Any]:
    """``raw`` as the fields of a JSON object.

    Raises:
        TypeError: It is none.
    """
    if not is_mapping(raw):
        raise TypeError(f"{what} must be a mapping.")
    return raw


def _command(fields: _Fields) -> ThreadItem:
    output, code = fields.get("aggregated_output", ""), fields.get("exit_code")
    return CommandExecutionItem(fields["id"], fields["command"], fields["status"], output, code)


def _file_change(fields: _Fields) -> ThreadItem:
    changes = [_change(each) for each in fields.get("changes", ())]
    return FileChangeItem(fields["id"], changes, fields["status"])


def _change(raw: Any) -> FileUpdateChange:
    if isinstance(raw, FileUpdateChange):
        return raw
    fields = mapping(raw, "FileUpdateChange")
    return FileUpdateChange(fields["path"], fields["kind"])


def _mcp_call(fields: _Fields) -> ThreadItem:
    raw_result, raw_error = fields.get("result"), fields.get("error")
    return McpToolCallItem(
        id=fields["id"],
        server=fields["server"],
        tool=fields["tool"],
        arguments=fields.get("arguments"),
        status=fields["status"],
        result=None if raw_result is None else _mcp_result(raw_result),
        error=None if raw_error is None else _mcp_error(raw_error),
    )


def _mcp_result(raw: Any) -> McpToolCallResult:
    if isinstance(raw, McpToolCallResult):
        return raw
    fields = mapping(raw, "McpToolCallResult")
    return McpToolCallResult(list(fields.get("content", ())), fields.get("structured_content"))


def _mcp_error(raw: Any) -> McpToolCallError:
    if isinstance(raw, McpToolCallError):
        return raw
    return McpToolCallError(mapping(raw, "McpToolCallError").get("message", ""))


def _todo_list(fields: _Fields) -> ThreadItem:
    return TodoListItem(fields["id"], [_todo(each) for each in fields.get("items", ())])


def _todo(raw: Any) -> TodoItem:
    if isinstance(raw, TodoItem):
        return raw
    fields = mapping(raw, "TodoItem")
    return TodoItem(fields.get("text", ""), bool(fields.get("completed", False)))


_KINDS: dict[str, Callable[[_Fields], ThreadItem]] = {
    "agent_message": lambda f: AgentMessageItem(f["id"], f.get("text", "")),
    "reasoning": lambda f: ReasoningItem(f["id"], f.get("text", "")),
    "command_execution": _command,
    "file_change": _file_change,
    "mcp_tool_call": _mcp_call,
    "web_search": lambda f: WebSearchItem(f["id"], f.get("query", "")),
    "todo_list": _todo_list,
    "error": lambda f: ErrorItem(f.get("id", ""), f.get("message", "")),
}
