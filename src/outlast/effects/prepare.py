"""Preparing a turn: instructions, enabled tools and handoffs, settings, prompt."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from outlast.core.effects import Prepare
from outlast.core.errors import IncompatibleRun
from outlast.core.events import Call, TurnPrepared
from outlast.definitions.computer import ComputerTool, resolve_computer
from outlast.definitions.enabled import gathered
from outlast.definitions.handoff import Handoff
from outlast.definitions.tool import FunctionTool, Tool
from outlast.effects.hooks import hook_context, tell
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.place import at_effect
from outlast.effects.ruled_tools import warn_of_rules
from outlast.effects.shared_agents import is_consistent, require_consistent
from outlast.effects.turn import (
    AnyAgent,
    AnyHandoff,
    PreparedTurn,
    as_handoff,
    fixed_turn,
    make_turn,
)
from outlast.effects.view import RunParts, RunView


class Prepared(NamedTuple):
    """A turn, and what the log keeps of it."""

    turn: PreparedTurn
    outcome: Outcome


def derive(effect: Prepare, view: RunView) -> Prepared | None:
    """The turn of an agent that no user code prepares; None if some does."""
    agent = view.agents.agent(effect.agent)
    if effect.agent in view.live.pins:
        return None
    if effect.activation and (view.hooks is not None or agent.hooks is not None):
        return None
    if not is_consistent(agent):
        return None
    turn = fixed_turn(agent, view.config)
    return None if turn is None else Prepared(turn, _recorded(view, effect, turn))


async def prepare(effect: Prepare, view: RunView, emit: Emit) -> Outcome:
    """Ask user code what the turn needs."""
    del emit
    agent = view.agents.agent(effect.agent)
    if effect.activation:
        await _tell_start(view, agent)
    turn = await ask(view, agent)
    if (pinned := view.live.pins.get(effect.agent)) is not None:
        prompt = turn.prompt
        turn = make_turn(agent, view.config, pinned or None, turn.tools, turn.handoffs)
        turn.prompt = prompt
    require_consistent(agent)
    view.live.begin_turn(effect.id, turn)
    return _recorded(view, effect, turn)


async def ask(view: RunView, agent: AnyAgent) -> PreparedTurn:
    """The turn as user code wants it now."""
    if known := fixed_turn(agent, view.config):
        return known
    tools, handoffs = await _enabled(view, agent)
    instructions, prompt = await gathered(
        agent.get_system_prompt(view.context), agent.get_prompt(view.context)
    )
    turn = make_turn(agent, view.config, instructions, tools, handoffs)
    turn.prompt = prompt
    return turn


async def _enabled(view: RunParts, agent: AnyAgent) -> tuple[list[Tool], list[AnyHandoff]]:
    tools, handoffs = await gathered(
        agent.get_all_tools(view.context), _enabled_handoffs(view, agent)
    )
    started = view.state.started
    if agent.mcp_servers and started is not None and not started.parent:
        warn_of_rules(view.agents.first, view.config)  # Its servers have listed their tools now.
    return [await _with_computer(view, tool) for tool in tools], handoffs


async def live_turn(view: RunParts) -> PreparedTurn:
    """The turn in progress, prepared again where another process did so before.

    Raises:
        UserError: Another run changes the agent's tools.
    """
    prepared, live = view.state.prepared, view.live
    assert prepared
    if live.turn is not None and live.turn_id == prepared.id:
        return live.turn
    live.restoring = live.restoring or asyncio.Lock()
    async with live.restoring:
        if live.turn is not None and live.turn_id == prepared.id:
            return live.turn
        turn = await restore(view, prepared)
        require_consistent(turn.agent)
        live.begin_turn(prepared.id, turn)
        return turn


async def restore(view: RunParts, prepared: TurnPrepared) -> PreparedTurn:
    """The turn that another process prepared: with its prompt, and the tools that it had.

    What user code said of the prompt is a fact, and it is not asked again.
    """
    agent = view.agents.agent(prepared.agent)
    instructions = None
    if prepared.instructions:
        instructions = (await view.blobs(prepared.instructions)).decode()
    if known := fixed_turn(agent, view.config):
        tools, handoffs = known.tools, known.handoffs
    else:
        # What user code begins meanwhile is what it began when it was asked for the first time.
        with at_effect(view.run_id, prepared.id):
            tools, handoffs = await _enabled(view, agent)
    absent: dict[str, dict[str, Any]] = {}
    if prepared.tools:
        record = await tools_on_record(view, prepared)
        names = {entry["name"] for entry in record}
        tools, absent = _as_recorded(tools, record)
        handoffs = [transfer for transfer in handoffs if transfer.tool_name in names]
    restored = make_turn(agent, view.config, instructions, tools, handoffs)
    restored.prompt, restored.absent = prepared.prompt, absent
    return restored


def _as_recorded(
    tools: list[Tool], record: list[dict[str, Any]]
) -> tuple[list[Tool], dict[str, dict[str, Any]]]:
    """The tools that a turn offered, under the names that they had; and those of servers that are gone.

    A tool of a server is known by the server and its own name there, whatever it is called now.
    """
    names = {entry["name"] for entry in record if "mcp" not in entry}
    found: list[Tool] = []
    offers: dict[tuple[str, str], list[FunctionTool]] = {}
    for tool in tools:
        source = tool.mcp_source if isinstance(tool, FunctionTool) else None
        if isinstance(tool, FunctionTool) and source is not None:
            offers.setdefault((source.server, source.tool), []).append(tool)
        elif getattr(tool, "qualified_name", tool.name) in names:
            found.append(tool)
    absent: dict[str, dict[str, Any]] = {}
    recorded = [entry["mcp"] for entry in record if "mcp" in entry]
    then = Counter((source["server"], source["tool"]) for source in recorded)
    for entry in record:
        if (source := entry.get("mcp")) is None:
            continue
        known = offers.get((source["server"], source["tool"]), [])
        own = [each for each in known if _is_of(each, source.get("identity"))]
        if len(known) == 1 and then[source["server"], source["tool"]] == 1:
            own = known  # No other one has that name: it may be reached in another way now.
        if len(own) != 1:  # Gone, or there are two now and nobody can say which one was meant.
            absent[entry["name"]] = source
            continue
        found.append(_named(own[0], entry["name"]))
    return found, absent


def _is_of(tool: FunctionTool, identity: str | None) -> bool:
    """Whether a tool is of the server that a turn offered it of, among servers of one name."""
    return bool(identity and tool.mcp_source and tool.mcp_source.identity == identity)


def _named(tool: FunctionTool, name: str) -> FunctionTool:
    if tool.name == name:
        return tool
    twin = copy.copy(tool)
    twin.name = name
    return twin


def missing_tool(view: RunParts, agent: AnyAgent, call: Call) -> IncompatibleRun:
    """The error of a program that has not the tool or handoff that a call in the log means."""
    what = {"function": "tool", "handoff": "handoff"}.get(call.kind, f"{call.kind} tool")
    own = [getattr(tool, "qualified_name", getattr(tool, "name", "?")) for tool in agent.tools]
    is_off = call.qualified_name in own and call.kind != "handoff"
    has = "has disabled (is_enabled)" if is_off else f"does not have; its tools are {own}"
    absent = view.live.turn.absent.get(call.qualified_name) if view.live.turn else None
    if absent is not None:
        what = f"tool {absent['tool']!r} of MCP server {absent['server']!r}, called"
        has = "does not get from that server any more, or from two servers of that name"
    error = IncompatibleRun.changed(
        view.run_id,
        f"its call {call.id!r} is of the {what} {call.qualified_name!r}, which agent "
        f"{agent.name!r} {has}",
        "Go on with it in a program that has it.",
        call.qualified_name,
    )
    error.agent = agent.name
    return error


def tells_of_missing_tools(view: RunParts) -> bool:
    """Whether the model is to be told of tools that the agent does not have."""
    return view.config.tool_not_found_behavior == "return_error_to_model"


async def tools_on_record(view: RunParts, prepared: TurnPrepared) -> list[dict[str, Any]]:
    """What the log keeps of the tools and handoffs that a turn offered."""
    if not prepared.tools:
        return []
    text = await view.blobs(prepared.tools)
    return msgspec.json.decode(text, type=list[dict[str, Any]])


def _recorded(view: RunView, effect: Prepare, turn: PreparedTurn) -> Outcome:
    agent = turn.agent
    has_end = view.hooks is not None or agent.hooks is not None
    has_end = has_end or bool(agent.output_guardrails)
    has_end = has_end or bool(view.config.output_guardrails)
    event = turn.event(effect.id, effect.agent, has_end_hooks=has_end)
    if turn.prompt is not None:
        event = msgspec.structs.replace(event, prompt=msgspec.to_builtins(turn.prompt))
    return Outcome([event], blobs=turn.blobs)


async def _tell_start(view: RunView, agent: AnyAgent) -> None:
    if view.hooks is None and agent.hooks is None:
        return
    context = hook_context(view)
    await tell(
        view.hooks.on_agent_start(context, agent) if view.hooks is not None else None,
        agent.hooks.on_start(context, agent) if agent.hooks is not None else None,
    )


async def _with_computer(view: RunParts, tool: Tool) -> Tool:
    """A tool as this run uses it: runs that share a factory's tool do not share its computer."""
    if not isinstance(tool, ComputerTool) or not tool.makes_computer:
        return tool
    return tool.holding(await resolve_computer(tool=tool, run_context=view.context))


async def _enabled_handoffs(view: RunParts, agent: AnyAgent) -> list[AnyHandoff]:
    transfers = [as_handoff(target) for target in agent.handoffs]
    flags = await gathered(*(_is_enabled(view, agent, transfer) for transfer in transfers))
    return [transfer for transfer, is_on in zip(transfers, flags, strict=True) if is_on]


async def _is_enabled(view: RunParts, agent: AnyAgent, transfer: Handoff) -> bool:
    flag = transfer.is_enabled
    if isinstance(flag, bool):
        return flag
    answer = flag(view.context, agent)
    return bool(await answer) if inspect.isawaitable(answer) else bool(answer)
