"""Answering calls of tools that run in this process and are not functions.

Computers, shells, patches and custom tools differ in what they are given and in the shape of
their output item. What surrounds them is the same: hooks, refusals, and errors that are told to
the model.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, cast

from holdfast.core.effects import RunTool
from holdfast.core.errors import AgentsException, ModelBehaviorError
from holdfast.core.events import Item, ToolReturned
from holdfast.definitions.computer import ComputerTool, ComputerToolCustomDataContext
from holdfast.definitions.context import RunContextWrapper, ToolContext
from holdfast.definitions.custom_tool import (
    CustomTool,
    CustomToolCustomDataContext,
    custom_output_item,
)
from holdfast.definitions.editor import (
    ApplyPatchResult,
    ApplyPatchTool,
    ApplyPatchToolCustomDataContext,
    patch_operation,
    patch_output_item,
    patch_result,
)
from holdfast.definitions.hosted_tools import HostedMCPTool, MCPToolApprovalRequest
from holdfast.definitions.shell_tools import (
    LocalShellCommandRequest,
    LocalShellTool,
    ShellCommandRequest,
    ShellTool,
    failed_shell_result,
    shell_call,
    shell_output_item,
    shell_result,
    shell_text,
)
from holdfast.definitions.tool import extracted_custom_data
from holdfast.engine.drive import Done
from holdfast.engine.env import RunEnv
from holdfast.engine.hooks import tell
from holdfast.engine.perform.computer import use_computer
from holdfast.engine.perform.prepare import live_turn
from holdfast.engine.perform.refusal import mcp_answer
from holdfast.engine.perform.tool import Handle
from holdfast.engine.projection import behind


class Answer(NamedTuple):
    """What a local tool came to."""

    item: Item
    value: Any
    """What the caller and the hooks see."""
    seen: Callable[..., Any] | None = None
    """Of a copy of the item, what the tool's `custom_data_extractor` gets to see."""


async def run_local_tool(env: RunEnv, effect: RunTool) -> Done:
    """Run a computer, shell, patch or custom tool."""
    turn = await live_turn(env)
    tool: Any = local_tool(env, effect)
    item = env.call_item(effect.call.index)
    context = _context(env, effect, tool, item)
    hooks, agent_hooks = env.hooks, turn.agent.hooks
    is_told = (hooks is not None or agent_hooks is not None) and not isinstance(tool, HostedMCPTool)
    if is_told:
        await tell(
            hooks.on_tool_start(context, turn.agent, tool) if hooks is not None else None,
            agent_hooks.on_tool_start(context, turn.agent, tool)
            if agent_hooks is not None
            else None,
        )
    answer = await _RUN[type(tool)](env, effect, tool, item, context)
    env.live.behind[id(answer.item)] = (answer.item, answer.value)
    data = None
    extractor: Any = getattr(tool, "custom_data_extractor", None)
    if answer.seen is not None and extractor is not None:
        data = await extracted_custom_data(extractor, answer.seen(copy.deepcopy(answer.item)))
    event = ToolReturned(effect.id, effect.call.id, answer.item, name=effect.name, data=data)

    async def after() -> None:
        await tell(
            hooks.on_tool_end(context, turn.agent, tool, answer.value)
            if hooks is not None
            else None,
            agent_hooks.on_tool_end(context, turn.agent, tool, answer.value)
            if agent_hooks is not None
            else None,
        )

    return Done([event], after if is_told else None)


def local_tool(env: RunEnv, effect: Any) -> Any:
    """The tool that a call of a local kind means.

    Raises:
        ModelBehaviorError: The agent has no such tool.
    """
    assert env.turn
    if (tool := env.turn.tool(effect.call)) is not None:
        return tool
    raise ModelBehaviorError(
        f"Tool {effect.call.name} not found in agent {effect.agent}."
        if effect.call.kind == "custom"
        else f"Model produced {effect.call.kind} call without a {effect.call.kind} tool in agent "
        f"{effect.agent}."
    )


def _context(env: RunEnv, effect: RunTool, tool: Any, item: Item) -> RunContextWrapper[Any]:
    if not isinstance(tool, CustomTool):
        return env.context
    return ToolContext.from_agent_context(
        env.context,
        effect.call.id,
        agent=env.agents.agent(effect.agent),
        tool_name=tool.name,
        tool_arguments=str(item.get("input") or ""),
        run_config=env.config,
        _effect=Handle(env, effect.id),
    )


async def _called(function: Callable[..., Any], *args: Any) -> Any:
    answer = function(*args)
    return await answer if inspect.isawaitable(answer) else answer


async def _shell(
    env: RunEnv, effect: RunTool, tool: ShellTool, item: Item, context: RunContextWrapper[Any]
) -> Answer:
    del env
    call = shell_call(item)
    limit, status, caller = call.action.max_output_length, "completed", item.get("caller")
    try:
        assert tool.executor
        answered = await _called(tool.executor, ShellCommandRequest(context, call))
        result = shell_result(answered, limit)
    except AgentsException:
        raise
    except Exception as error:  # noqa: BLE001  # a user's executor; the model is told
        result, status = failed_shell_result(str(error) or type(error).__name__, limit), "failed"
    out = shell_output_item(effect.call.id, result, status=cast("Any", status), caller=caller)
    return Answer(out, shell_text(result))


async def _local_shell(
    env: RunEnv, effect: RunTool, tool: LocalShellTool, item: Item, context: RunContextWrapper[Any]
) -> Answer:
    request = LocalShellCommandRequest(context, behind(env, item))
    text = str(await _called(tool.executor, request))
    out = {"type": "local_shell_call_output", "id": effect.call.id, "output": text}
    return Answer({**out, "call_id": effect.call.id}, text)


async def _patch(
    env: RunEnv, effect: RunTool, tool: ApplyPatchTool, item: Item, context: RunContextWrapper[Any]
) -> Answer:
    del env
    operation = patch_operation(item.get("operation"), context)
    try:
        edit = getattr(tool.editor, operation.type)
        result = patch_result(await _called(edit, operation))
    except Exception as error:  # noqa: BLE001  # a user's editor; the model is told
        result = ApplyPatchResult("failed", str(error))
    out = patch_output_item(effect.call.id, result, item.get("caller"))
    text, status = result.output or "", out["status"]
    return Answer(
        out,
        text,
        partial(ApplyPatchToolCustomDataContext, context, tool, [operation], text, status),
    )


async def _custom(
    env: RunEnv, effect: RunTool, tool: CustomTool, item: Item, context: RunContextWrapper[Any]
) -> Answer:
    del env
    given, told = str(item.get("input") or ""), cast("Any", context)
    value = await _called(tool.on_invoke_tool, told, given)
    out = custom_output_item(effect.call.id, value, item.get("caller"))
    return Answer(
        out,
        value,
        partial(CustomToolCustomDataContext, told, tool, given, out["output"]),
    )


async def _computer(
    env: RunEnv, effect: RunTool, tool: ComputerTool[Any], item: Item, context: Any
) -> Answer:
    out, url, _ = await use_computer(env, effect, tool, item)
    call = behind(env, item)
    return Answer(out, url, partial(ComputerToolCustomDataContext, context, tool, call, url))


async def _mcp(
    env: RunEnv, effect: RunTool, tool: HostedMCPTool, item: Item, context: RunContextWrapper[Any]
) -> Answer:
    """The answer to a request of the provider: the callback's, or else the person's who approved."""
    if tool.on_approval_request is None:
        out = mcp_answer(effect.call.id, approve=True)
        return Answer(out, None)
    request = MCPToolApprovalRequest(context, behind(env, item))
    said = await _called(tool.on_approval_request, request)
    out = mcp_answer(effect.call.id, approve=said["approve"], reason=said.get("reason"))
    return Answer(out, None)


_RUN: dict[type, Callable[..., Awaitable[Answer]]] = {
    ShellTool: _shell,
    LocalShellTool: _local_shell,
    ApplyPatchTool: _patch,
    CustomTool: _custom,
    HostedMCPTool: _mcp,
    ComputerTool: _computer,
}
