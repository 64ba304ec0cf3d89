"""Answering calls of tools that run in this process and are not functions.

Computers, shells, patches and custom tools differ in what they are given and in the shape of
their output item. What surrounds them is the same: hooks, refusals, and errors that are told to
the model.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, Literal, NamedTuple, TypeVar, cast

from outlast.core.effects import RunTool
from outlast.core.errors import AgentsException, ModelBehaviorError, UserError, machine_error
from outlast.core.events import Call, Event, Item, ToolReturned
from outlast.core.shown import class_name, shown, tame
from outlast.core.surrogates import without_surrogates
from outlast.definitions import custom_tool, editor, shell_tools
from outlast.definitions.computer import (
    ComputerTool,
    ComputerToolCustomDataContext,
    ComputerToolSafetyCheckData,
    resolve_computer,
)
from outlast.definitions.context import RunContextWrapper, ToolContext
from outlast.definitions.hosted_tools import HostedMCPTool, MCPToolApprovalRequest
from outlast.definitions.logger import logger
from outlast.effects.custom_data import attached
from outlast.effects.failures import error_facts
from outlast.effects.hooks import tell
from outlast.effects.kept import keep_value
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.effects.prepare import live_turn
from outlast.effects.projection import behind
from outlast.effects.tool import Handle
from outlast.effects.unexecuted_calls import mcp_answer
from outlast.effects.view import RunView

TTool = TypeVar("TTool")


class Use(NamedTuple, Generic[TTool]):
    """One call of a local tool."""

    view: RunView
    effect: RunTool
    tool: TTool
    item: Item
    context: RunContextWrapper


class Answer(NamedTuple):
    """What a local tool came to."""

    item: Item
    value: Any
    """What the caller and the hooks see."""
    seen: Callable[..., Any] | None = None
    """Of a copy of the item, what the tool's `custom_data_extractor` gets to see."""
    error: Exception | None = None
    """What the tool's code raised, and the model was told."""


async def run_local_tool(effect: RunTool, view: RunView, emit: Emit) -> Outcome:
    """Run a computer, shell, patch or custom tool.

    Raises:
        ModelBehaviorError: The agent has no such tool.
    """
    call, turn = effect.call, await live_turn(view)
    tool: Any = turn.tool(call)
    if tool is None:
        raise ModelBehaviorError(
            f"Tool {call.name} not found in agent {effect.agent}."
            if call.kind == "custom"
            else f"Model produced {call.kind} call without a {call.kind} tool in agent "
            f"{effect.agent}."
        )
    agent, item = turn.agent, view.call_item(call.index)
    context = local_context(view, effect.call, effect.agent, tool, Handle(view, emit, effect.id))
    both: list[Any] = [] if isinstance(tool, HostedMCPTool) else [view.hooks, agent.hooks]
    hooks = [each for each in both if each is not None]
    await tell(*(each.on_tool_start(context, agent, tool) for each in hooks))
    answer = await _RUN[type(tool)](Use(view, effect, tool, item, context))
    answer = answer._replace(item=without_surrogates(answer.item))
    kept, value = None, answer.value
    if isinstance(tool, custom_tool.CustomTool):
        kept, value = keep_value(tool, call.qualified_name, value, answer.item)
    view.live.behind[id(answer.item)] = (answer.item, value)
    data, faults = None, list[Event]()
    if (seen := answer.seen) is not None:
        data, faults = await attached(effect, view, tool, lambda: seen(copy.deepcopy(answer.item)))
    error = error_facts(answer.error, effect.id) if answer.error else None
    event = ToolReturned(effect.id, call.id, answer.item, "ok", effect.name, data, kept, error)
    if faults or not hooks:
        return Outcome([event, *faults])
    view.live.tool_ends[effect.id] = (context, tool, value)
    return Outcome([event], (HookCall("on_tool_end", effect.id, effect.agent),))


def local_context(
    view: RunView, call: Call, agent: str, tool: Any, handle: Any = None
) -> RunContextWrapper:
    """What a local tool and the hooks are told of a call."""
    if not isinstance(tool, custom_tool.CustomTool):
        return view.context
    return ToolContext.from_agent_context(
        view.context,
        call.id,
        agent=view.agents.agent(agent),
        tool_name=tool.name,
        tool_arguments=str(view.call_item(call.index).get("input") or ""),
        run_config=view.config,
        _effect=handle,
    )


async def _called(function: Callable[..., Any], *args: object) -> Any:
    answer = function(*args)
    answer = tame(answer)
    return tame(await answer) if inspect.isawaitable(answer) else answer


async def _shell(use: Use[shell_tools.ShellTool]) -> Answer:
    call = shell_tools.shell_call(use.item)
    limit = call.action.max_output_length
    request = shell_tools.ShellCommandRequest(use.context, call)
    status: Literal["completed", "failed"] = "completed"
    failure: Exception | None = None
    answered: Any = None
    has_answered = False
    try:
        assert use.tool.executor
        answered = await _called(use.tool.executor, request)
        has_answered = True  # The commands ran: what is wrong with the answer is told, not raised.
        result = shell_tools.shell_result(answered, limit)
    except Exception as error:  # a user's executor; the model is told
        if isinstance(error, AgentsException) and not has_answered:
            raise
        if machine_error(error) is not None:
            raise
        status, said, failure = "failed", shown(error) or class_name(error), error
        result = shell_tools.failed_shell_result(said, limit)
    caller = use.item.get("caller")
    out = shell_tools.shell_output_item(use.effect.call.id, result, status=status, caller=caller)
    return Answer(out, shell_tools.shell_text(result), error=failure)


async def _local_shell(use: Use[shell_tools.LocalShellTool]) -> Answer:
    request = shell_tools.LocalShellCommandRequest(use.context, behind(use.view, use.item))
    text, call_id = shown(await _called(use.tool.executor, request)), use.effect.call.id
    out = {"type": "local_shell_call_output", "id": call_id, "output": text, "call_id": call_id}
    return Answer(out, text)


async def _patch(use: Use[editor.ApplyPatchTool]) -> Answer:
    operation = editor.patch_operation(use.item.get("operation"), use.context)
    failure: Exception | None = None
    try:
        edit = getattr(use.tool.editor, operation.type)
        result = editor.patch_result(await _called(edit, operation))
    except Exception as error:  # a user's editor; the model is told
        if machine_error(error) is not None:
            raise
        result, failure = editor.ApplyPatchResult("failed", shown(error)), error
    out = editor.patch_output_item(use.effect.call.id, result, use.item.get("caller"))
    seen = (use.context, use.tool, [operation], result.output or "", out["status"])
    data = partial(editor.ApplyPatchToolCustomDataContext, *seen)
    return Answer(out, result.output or "", data, failure)


async def _custom(use: Use[custom_tool.CustomTool]) -> Answer:
    given, told = str(use.item.get("input") or ""), cast("Any", use.context)
    value = await _called(use.tool.on_invoke_tool, told, given)
    out = custom_tool.custom_output_item(use.effect.call.id, value, use.item.get("caller"))
    seen = partial(custom_tool.CustomToolCustomDataContext, told, use.tool, given, out["output"])
    return Answer(out, value, seen)


async def _mcp(use: Use[HostedMCPTool]) -> Answer:
    """The answer to a request of the provider: the callback's, or else the person's who approved."""
    said: Any = {"approve": True}
    if use.tool.on_approval_request is not None:
        request = MCPToolApprovalRequest(use.context, behind(use.view, use.item))
        said = await _called(use.tool.on_approval_request, request)
    reason = said.get("reason")
    return Answer(mcp_answer(use.effect.call.id, approve=said["approve"], reason=reason), None)


# --- Computers. --------------------------------------------------------------------------

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "click": ("x", "y", "button"),
    "double_click": ("x", "y"),
    "move": ("x", "y"),
    "scroll": ("x", "y", "scroll_x", "scroll_y"),
    "type": ("text",),
    "keypress": ("keys",),
    "wait": (),
    "screenshot": (),
    "drag": ("path",),
}
_MOUSE = {"click", "double_click", "move", "scroll", "drag"}
_UNCHECKED = (
    "A computer call has safety checks and its tool has no on_safety_check: the actions proceed "
    "without acknowledging them. Configure ComputerTool.on_safety_check to decide."
)


async def _computer(use: Use[ComputerTool]) -> Answer:
    """What the computer shows after the actions that the model wants, in their order."""
    acknowledged = await _acknowledged(use)
    computer: Any = await resolve_computer(tool=use.tool, run_context=use.context)
    image, item = "", use.item
    for action in item.get("actions") or [item.get("action") or {"type": "screenshot"}]:
        image = await _act(computer, action)
    image = image or await _moved(computer.screenshot)
    url = f"data:image/png;base64,{image}" if image else ""
    out: Item = {
        "type": "computer_call_output",
        "call_id": use.effect.call.id,
        "output": {"type": "computer_screenshot", "image_url": url},
    }
    if acknowledged:
        out["acknowledged_safety_checks"] = acknowledged
    seen = (use.context, use.tool, behind(use.view, item), url)
    return Answer(out, url, partial(ComputerToolCustomDataContext, *seen))


async def _act(computer: object, action: Item) -> str:
    """Do one action; a screenshot's image, else nothing."""
    kind = str(action.get("type"))
    names, method = _ARGUMENTS.get(kind), getattr(computer, kind, None)
    if names is None or method is None:
        raise ModelBehaviorError(f"The computer has no action {kind!r}.")
    values: list[Any] = [action.get(name) for name in names]
    if kind == "drag":
        path: list[dict[str, int]] = action.get("path") or []
        values = [[(point["x"], point["y"]) for point in path]]
    held = action.get("keys") if kind in _MOUSE else None
    more = {"keys": held} if held and "keys" in inspect.signature(method).parameters else {}
    found = await _moved(method, *values, **more)
    return found if kind == "screenshot" else ""


async def _moved(method: Callable[..., Any], *args: object, **more: object) -> Any:
    """What a computer's method returns; one that is not async runs in a thread."""
    if inspect.iscoroutinefunction(method):
        return await method(*args, **more)
    answer = await asyncio.to_thread(method, *args, **more)
    return await answer if inspect.isawaitable(answer) else answer


async def _acknowledged(use: Use[ComputerTool]) -> list[Item]:
    """The safety checks of a call, all of which somebody has said yes to.

    Raises:
        UserError: One was not acknowledged; nothing was done.
    """
    checks: list[Item] = use.item.get("pending_safety_checks") or []
    ask: Any = use.tool.on_safety_check
    if not checks or ask is None:
        if checks:
            logger.warning(_UNCHECKED)
        return []
    call, agent = behind(use.view, use.item), use.view.agents.agent(use.effect.agent)
    for n in range(len(checks)):
        data = ComputerToolSafetyCheckData(
            ctx_wrapper=use.context,
            agent=agent,
            tool_call=call,
            safety_check=call.pending_safety_checks[n],
        )
        if not await _called(ask, data):
            raise UserError("Computer tool safety check was not acknowledged")
    return checks


_RUN: dict[type, Callable[[Any], Awaitable[Answer]]] = {
    shell_tools.ShellTool: _shell,
    shell_tools.LocalShellTool: _local_shell,
    editor.ApplyPatchTool: _patch,
    custom_tool.CustomTool: _custom,
    HostedMCPTool: _mcp,
    ComputerTool: _computer,
}
