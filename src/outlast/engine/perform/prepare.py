"""Preparing a turn: instructions, enabled tools and handoffs, settings, prompt."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import msgspec

from outlast.core.effects import Prepare
from outlast.core.errors import IncompatibleRun
from outlast.core.events import Call, Event, TurnPrepared
from outlast.definitions.computer import ComputerTool, resolve_computer
from outlast.definitions.enabled import gathered
from outlast.definitions.handoff import Handoff
from outlast.definitions.tool import Tool
from outlast.engine.drive import Done
from outlast.engine.env import RunEnv
from outlast.engine.hooks import hook_context, tell
from outlast.engine.place import Place
from outlast.engine.sharing import is_consistent, require_consistent
from outlast.engine.turn import (
    AnyAgent,
    AnyHandoff,
    PreparedTurn,
    as_handoff,
    fixed_turn,
    make_turn,
    tool_document,
)


def derive(env: RunEnv, effect: Prepare) -> list[Event] | None:
    """The turn of an agent that no user code prepares; None if some does."""
    agent = env.agents.agent(effect.agent)
    if effect.activation and (env.hooks is not None or agent.hooks is not None):
        return None
    if not is_consistent(agent):
        return None
    turn = fixed_turn(agent, env.config)
    return None if turn is None else _recorded(env, effect.id, effect.agent, turn)


async def prepare(env: RunEnv, effect: Prepare) -> Done:
    """Ask user code what the turn needs."""
    agent = env.agents.agent(effect.agent)
    if effect.activation:
        await _tell_start(env, agent)
    turn = await ask(env, agent)
    require_consistent(agent)
    return Done(_recorded(env, effect.id, effect.agent, turn))


async def ask(env: RunEnv, agent: AnyAgent) -> PreparedTurn:
    """The turn as user code wants it now."""
    if known := fixed_turn(agent, env.config):
        return known
    tools, handoffs = await gathered(
        agent.get_all_tools(env.context), _enabled_handoffs(env, agent)
    )
    tools = [await _with_computer(env, tool) for tool in tools]
    instructions, prompt = await gathered(
        agent.get_system_prompt(env.context), agent.get_prompt(env.context)
    )
    turn = make_turn(agent, env.config, instructions, tools, handoffs)
    turn.prompt = prompt
    return turn


async def live_turn(env: RunEnv) -> PreparedTurn:
    """The turn in progress, prepared again where another process did so before.

    Raises:
        UserError: Another run changes the agent's tools.
    """
    if env.turn is None:
        env.restoring = env.restoring or asyncio.Lock()
        async with env.restoring:
            env.turn = env.turn or await _restored(env)
    return env.turn


async def _restored(env: RunEnv) -> PreparedTurn:
    state = env.log.state
    assert state.prepared
    turn = await restore(env, state.prepared)
    require_consistent(turn.agent)
    return turn


async def restore(env: RunEnv, prepared: TurnPrepared) -> PreparedTurn:
    """The turn that another process prepared: with its prompt, and the tools that it had."""
    agent = env.agents.agent(prepared.agent)
    blobs = env.log.journal.blobs
    # What user code begins meanwhile is what it began when it was asked for the first time.
    with Place(env.log, prepared.id).entered():
        turn = await ask(env, agent)
    text = blobs.get(prepared.instructions) if prepared.instructions else None
    instructions = text.decode() if text is not None else None
    tools, handoffs = turn.tools, turn.handoffs
    if prepared.tools:
        names = {entry["name"] for entry in tools_on_record(env, prepared)}
        tools = [tool for tool in tools if getattr(tool, "qualified_name", tool.name) in names]
        handoffs = [transfer for transfer in handoffs if transfer.tool_name in names]
    restored = make_turn(agent, env.config, instructions, tools, handoffs)
    restored.prompt = prepared.prompt or turn.prompt
    return restored


def missing_tool(env: RunEnv, agent: AnyAgent, call: Call) -> IncompatibleRun:
    """The error of a program that has not the tool or handoff that a call in the log means."""
    what = {"function": "tool", "handoff": "handoff"}.get(call.kind, f"{call.kind} tool")
    own = [getattr(tool, "qualified_name", getattr(tool, "name", "?")) for tool in agent.tools]
    is_off = call.qualified_name in own and call.kind != "handoff"
    has = "has disabled (is_enabled)" if is_off else f"does not have; its tools are {own}"
    error = IncompatibleRun.changed(
        env.log.run_id,
        f"its call {call.id!r} is of the {what} {call.qualified_name!r}, which agent "
        f"{agent.name!r} {has}",
        "Go on with it in a program that has it.",
        call.qualified_name,
    )
    error.agent = agent.name
    return error


def tells_of_missing_tools(env: RunEnv) -> bool:
    """Whether the model is to be told of tools that the agent does not have."""
    return env.config.tool_not_found_behavior == "return_error_to_model"


def tools_on_record(env: RunEnv, prepared: TurnPrepared) -> list[dict[str, Any]]:
    """What the log keeps of the tools and handoffs that a turn offered."""
    if not prepared.tools:
        return []
    text = env.log.journal.blobs.get(prepared.tools)
    return msgspec.json.decode(text, type=list[dict[str, Any]])


def _recorded(env: RunEnv, key: str, name: str, turn: PreparedTurn) -> list[Event]:
    blobs = env.log.journal.blobs
    if turn.instructions is not None:
        turn.text = turn.text or turn.instructions.encode("utf-8", "replace")
        turn.instructions_hash = blobs.put(turn.text, turn.instructions_hash)
    if turn.tools or turn.handoffs:
        turn.document = turn.document or tool_document(turn)
        turn.tools_hash = blobs.put(turn.document, turn.tools_hash)
    env.turn = turn
    env.live.results.clear()
    agent = turn.agent
    has_end = env.hooks is not None or agent.hooks is not None
    has_end = has_end or bool(agent.output_guardrails)
    has_end = has_end or bool(env.config.output_guardrails)
    event = turn.event(key, name, has_end_hooks=has_end)
    if turn.prompt is not None:
        event = msgspec.structs.replace(event, prompt=msgspec.to_builtins(turn.prompt))
    return [event]


async def _tell_start(env: RunEnv, agent: AnyAgent) -> None:
    if env.hooks is None and agent.hooks is None:
        return
    context = hook_context(env)
    await tell(
        env.hooks.on_agent_start(context, agent) if env.hooks is not None else None,
        agent.hooks.on_start(context, agent) if agent.hooks is not None else None,
    )


async def _with_computer(env: RunEnv, tool: Tool) -> Tool:
    """A tool as this run uses it: runs that share a factory's tool do not share its computer."""
    if not isinstance(tool, ComputerTool) or not tool.makes_computer:
        return tool
    return tool.holding(await resolve_computer(tool=tool, run_context=env.context))


async def _enabled_handoffs(env: RunEnv, agent: AnyAgent) -> list[AnyHandoff]:
    transfers = [as_handoff(target) for target in agent.handoffs]
    flags = await gathered(*(_is_enabled(env, agent, transfer) for transfer in transfers))
    return [transfer for transfer, is_on in zip(transfers, flags, strict=True) if is_on]


async def _is_enabled(env: RunEnv, agent: AnyAgent, transfer: Handoff[Any, Any]) -> bool:
    flag = transfer.is_enabled
    if isinstance(flag, bool):
        return flag
    answer = flag(env.context, agent)
    return bool(await answer) if inspect.isawaitable(answer) else bool(answer)
