"""Telling a model why its call has no result: it was refused, it failed, or there is no such tool."""

from __future__ import annotations

import inspect
from typing import Any

from outlast.core.decide import standing
from outlast.core.effects import RunTool
from outlast.core.errors import UserError, machine_error
from outlast.core.events import Call, Item, ToolReturned
from outlast.definitions import debug
from outlast.definitions.custom_tool import custom_output_item
from outlast.definitions.editor import ApplyPatchResult, patch_output_item
from outlast.definitions.logger import logger
from outlast.definitions.shell_tools import refused_shell_result, shell_output_item
from outlast.definitions.tool_output import FailureText, tool_output_item
from outlast.effects.config import ToolErrorFormatterArgs
from outlast.effects.outcome import Outcome
from outlast.effects.view import RunView

REJECTED = "Tool execution was not approved."
_TOOL_TYPES = ("function", "computer", "shell", "apply_patch", "custom")


async def answer_without_running(effect: RunTool, view: RunView) -> Outcome:
    """The answer to a call that a person refused or that names no tool."""
    call = effect.call
    if effect.verdict == "unknown":
        return await not_found(view, effect)
    state = view.state
    decision = state.decided.get(call.id) or standing(state, call)
    text = decision.message if decision else None
    text = await told(view, "approval_rejected", effect, REJECTED) if text is None else text
    item = refused(call, text, view.call_item(call.index), view.live.tools.get(call.id))
    return Outcome([ToolReturned(effect.id, call.id, item, "rejected", call.name)])


async def not_found(view: RunView, effect: Any) -> Outcome:
    """The answer to a call of a tool or a handoff that the agent does not have."""
    call: Call = effect.call
    text = await told(view, "tool_not_found", effect, f"Tool {call.qualified_name!r} not found.")
    item = refused(call, text, view.call_item(call.index))
    return Outcome([ToolReturned(effect.id, call.id, item, "error", call.name)])


async def told(view: RunView, kind: Any, effect: Any, default: str, error: Any = None) -> str:
    """What the model is told of a failure, in the words of the run's formatter if it has one.

    The formatter's own failure is logged and leaves the default: it must not fail the run.
    """
    formatter = view.config.tool_error_formatter
    if formatter is None:
        return default
    call: Call = effect.call
    args = ToolErrorFormatterArgs(
        kind=kind,
        tool_type=call.kind if call.kind in _TOOL_TYPES else "function",
        tool_name=call.qualified_name,
        call_id=call.id,
        default_message=default,
        run_context=view.context,
        error=error,
    )
    try:
        answer: Any = formatter(args)
        answer = await answer if inspect.isawaitable(answer) else answer
    except Exception as failure:  # a user's callback
        if machine_error(failure) is not None:
            raise
        details = None if debug.DONT_LOG_TOOL_DATA else failure
        logger.error("The tool error formatter failed for %s", call.name, exc_info=details)
        return default
    return answer if isinstance(answer, str) else default


def refused(call: Call, text: str, item: Item, tool: object = None) -> Item:
    """The item that answers a call, which is ``item``, with a text in place of a result."""
    caller = item.get("caller")
    match call.kind:
        case "shell":
            result = refused_shell_result(text)
            return shell_output_item(call.id, result, status=None, caller=caller)
        case "apply_patch":
            return patch_output_item(call.id, ApplyPatchResult("failed", text), caller)
        case "custom":
            return custom_output_item(call.id, text, caller)
        case "mcp_approval":
            return mcp_answer(call.id, approve=False, reason=text)
        case _:
            schema = getattr(tool, "output_json_schema", None)
            return tool_output_item(call.id, excuse(text), caller=caller, output_json_schema=schema)


def excuse(text: str, error: BaseException | None = None) -> FailureText:
    """A text that stands in place of a result, whatever its tool declares about results."""
    return FailureText(text, error or UserError(text), is_default=True)


def mcp_answer(request_id: str, *, approve: bool, reason: str | None = None) -> Item:
    """The item that answers a provider's request for a person's word."""
    why = {"reason": reason} if reason and not approve else {}
    kind = "mcp_approval_response"
    return {"type": kind, "approval_request_id": request_id, "approve": approve, **why}
