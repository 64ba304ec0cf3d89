"""Telling hooks what an effect came to, once that is durable. What is to be told is data."""

from __future__ import annotations

from typing import Any

from outlast.core.errors import UserError
from outlast.core.events import Call, Entry, ModelReplied
from outlast.core.ids import EffectId
from outlast.core.state import RunState, answered
from outlast.definitions.tool import FunctionTool
from outlast.effects.hooks import tell
from outlast.effects.kept import kept_value
from outlast.effects.local_tools import local_context
from outlast.effects.outcome import HookCall
from outlast.effects.prepare import live_turn
from outlast.effects.projection import model_response
from outlast.effects.tool import call_context, wrapped
from outlast.effects.view import RunView


async def tell_hooks(call: HookCall, view: RunView) -> None:
    """Tell the hooks of the run and of the agent at the same time.

    Where another process performed the effect, they hear of what its log has.
    """
    match call.hook:
        case "on_llm_end":
            await _llm_end(call, view)
        case "on_tool_end":
            await _tool_end(call, view)
        case "on_handoff":
            await _handoff(call, view)


async def _llm_end(call: HookCall, view: RunView) -> None:
    agent, context = view.agents.agent(call.agent), view.context
    response = model_response(view, _reply(view.state, call.effect_id))
    await tell(
        None if agent.hooks is None else agent.hooks.on_llm_end(context, agent, response),
        None if view.hooks is None else view.hooks.on_llm_end(context, agent, response),
    )


async def _tool_end(call: HookCall, view: RunView) -> None:
    agent = view.agents.agent(call.agent)
    context, tool, value = view.live.tool_ends.pop(call.effect_id, None) or await _ended(call, view)
    hooks = [each for each in (view.hooks, agent.hooks) if each is not None]
    telling = tell(*(each.on_tool_end(context, agent, tool, value) for each in hooks))
    await (wrapped(tool.name, telling) if isinstance(tool, FunctionTool) else telling)


async def _handoff(call: HookCall, view: RunView) -> None:
    source, target = view.agents.agent(call.agent), view.agents.agent(call.to)
    hooks, own, context = view.hooks, source.hooks, view.context
    await tell(
        None
        if hooks is None
        else hooks.on_handoff(context=context, from_agent=source, to_agent=target),
        None if own is None else own.on_handoff(context, agent=target, source=source),
    )


# --- From the log. -----------------------------------------------------------------------


def _reply(state: RunState, effect_id: str) -> ModelReplied:
    return next(reply for reply in reversed(state.replies.since(0)) if reply.id == effect_id)


async def _ended(told: HookCall, view: RunView) -> tuple[Any, Any, Any]:
    """Context, tool and value of a call that another process performed."""
    turn, call = await live_turn(view), _call(view.state, told.effect_id)
    tool: Any = turn.tool(call)
    if tool is None:
        raise UserError(
            f"The hooks are to hear of call {call.id!r}, but agent {told.agent!r} has no tool "
            f"{call.qualified_name!r}. Tell them in a program that has it."
        )
    is_function = isinstance(tool, FunctionTool)
    context: Any = (
        call_context(view, turn, call, tool)
        if is_function
        else local_context(view, call, told.agent, tool)
    )
    return context, tool, kept_value(_entry(view.state, told.effect_id), tool)


def _call(state: RunState, effect_id: str) -> Call:
    assert state.reply
    call_id = EffectId.parse(effect_id).key
    return next(each for each in state.reply.calls if each.id == call_id)


def _entry(state: RunState, effect_id: str) -> Entry:
    entries = [*state.entries, *answered(state)]
    return next(entry for entry in reversed(entries) if entry.source == effect_id)
