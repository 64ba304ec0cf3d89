"""The editor that a model patches files with, and the tool that offers it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, Protocol, cast

from outlast.core.errors import ModelBehaviorError
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.tool_callers import (
    ApprovalFunction,
    CustomDataExtractor,
    OnApprovalFunction,
    OnApprovalFunctionResult,
    ToolCaller,
    check_callers,
)
from outlast.definitions.tool_output import answer_item

ApplyPatchOperationType = Literal["create_file", "update_file", "delete_file"]
_TYPES = ("create_file", "update_file", "delete_file")


@dataclass
class ApplyPatchOperation:
    """One change to one file."""

    type: ApplyPatchOperationType
    path: str
    diff: str | None = None
    """For `apply_diff`. A file to delete has none."""
    ctx_wrapper: RunContextWrapper | None = None
    move_to: str | None = None
    """The file's new path, where an update also moves it."""


@dataclass
class ApplyPatchResult:
    """What became of a change; no status means that it was made."""

    status: Literal["completed", "failed"] | None = None
    output: str | None = None


Edited = ApplyPatchResult | str | None


class ApplyPatchEditor(Protocol):
    """Makes changes to files. An exception tells the model that a change failed."""

    def create_file(self, operation: ApplyPatchOperation) -> Awaitable[Edited] | Edited:
        """Make the file of ``operation.path`` from its diff."""
        ...

    def update_file(self, operation: ApplyPatchOperation) -> Awaitable[Edited] | Edited:
        """Change a file as the diff says, and move it if there is a ``move_to``."""
        ...

    def delete_file(self, operation: ApplyPatchOperation) -> Awaitable[Edited] | Edited:
        """Delete the file."""
        ...


ApplyPatchOnApprovalFunctionResult = OnApprovalFunctionResult
ApplyPatchOnApprovalFunction = OnApprovalFunction
ApplyPatchApprovalFunction = ApprovalFunction[ApplyPatchOperation]


@dataclass(frozen=True)
class ApplyPatchToolCustomDataContext:
    """What `ApplyPatchTool.custom_data_extractor` gets to see of a finished call."""

    run_context: RunContextWrapper
    tool: ApplyPatchTool
    operations: list[ApplyPatchOperation]
    output: str
    status: Literal["completed", "failed"]
    raw_item: Mapping[str, Any]


ApplyPatchToolCustomDataExtractor = CustomDataExtractor[ApplyPatchToolCustomDataContext]


@dataclass
class ApplyPatchTool:
    """Offers an editor to the model."""

    type: ClassVar[str] = "apply_patch"
    """The type of the tool in the API."""

    editor: ApplyPatchEditor
    name: str = "apply_patch"
    needs_approval: bool | ApplyPatchApprovalFunction = False
    on_approval: ApplyPatchOnApprovalFunction | None = None
    _: KW_ONLY
    custom_data_extractor: ApplyPatchToolCustomDataExtractor | None = None
    allowed_callers: list[ToolCaller] | None = None

    def __post_init__(self) -> None:
        check_callers(f"patch tool {self.name!r}", self.allowed_callers)


def patch_operation(raw: Any, context: RunContextWrapper | None) -> ApplyPatchOperation:
    """The change that the ``operation`` of a call asks for.

    Raises:
        ModelBehaviorError: It is not an operation, or lacks its path or diff.
    """
    fields = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    kind, path, diff = fields.get("type"), fields.get("path"), fields.get("diff")
    if kind not in _TYPES or not isinstance(path, str) or not path:
        raise ModelBehaviorError(
            f"A patch call asked for {kind!r} without a usable path. Expected one of "
            f"{', '.join(_TYPES)}, and a path."
        )
    if kind != "delete_file" and not isinstance(diff, str):
        raise ModelBehaviorError(f"A patch call asked for {kind!r} without a diff.")
    moved = fields.get("move_to")
    return ApplyPatchOperation(
        kind,
        path,
        diff if isinstance(diff, str) else None,
        context,
        moved if isinstance(moved, str) else None,
    )


def patch_result(edited: Edited) -> ApplyPatchResult:
    """What an editor returned, with a status."""
    if isinstance(edited, ApplyPatchResult):
        return ApplyPatchResult(edited.status or "completed", edited.output)
    return ApplyPatchResult("completed", edited)


def patch_output_item(call_id: str, result: ApplyPatchResult, caller: Any = None) -> dict[str, Any]:
    """The item that answers a patch call."""
    status = result.status or "completed"
    output = result.output or None
    return answer_item(
        "apply_patch_call_output", call_id, status=status, output=output, caller=caller
    )
