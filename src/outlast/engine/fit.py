"""Whether a program fits a run that another process, or an earlier version of it, began.

A log names agents, tools, handoffs, guardrails and types; a program has them or has not. What the
run needs next is looked up before anything is recorded or performed. Where a part is gone, the run
is left as it was: nothing else may answer for it, and the program that fits can still go on.

What is not needed any more does not count: tools of calls that are answered, guardrails that have
passed, agents that handed off. A run that has ended needs nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from outlast.core.decide import needs_tool, open_checks, pending_output
from outlast.core.errors import IncompatibleRun, JournalError, RunNotFound, StateMismatch, UserError
from outlast.core.events import Call, Event, RunAcquired
from outlast.core.ids import effect_id
from outlast.core.state import RunState
from outlast.definitions.agent import Agent
from outlast.definitions.context import approvals_of
from outlast.definitions.tool import FunctionTool
from outlast.effects.conclude import output_guardrails, structured_value
from outlast.effects.guardrail import find_guardrail, missing_guardrail
from outlast.effects.place import Place
from outlast.effects.prepare import live_turn, missing_tool, tells_of_missing_tools, tools_on_record
from outlast.effects.registry import AnyAgent, Registry
from outlast.effects.turn import PreparedTurn, output_mark, output_schema, was_offered
from outlast.effects.view import call_item_at
from outlast.engine.env import RunEnv
from outlast.engine.log import RunLog, require_known
from outlast.journal.journal import Lease

_ADVICE = "Go on with it in a program that has what is missing."


async def require_state_fit(env: RunEnv) -> None:
    """Refuse a state that this program cannot go on with.

    Whoever hands over a state says with it what is to become of calls without a tool: where
    `tool_not_found_behavior` wants so, the model is told.

    Raises:
        StateMismatch: A call's tool or handoff is missing. Nothing was recorded.
        IncompatibleRun: Something else is.
    """
    # A decision that finds no call here may be about a tool that is gone.
    is_decided = bool(approvals_of(env.context).decisions)
    try:
        await require_fit(env, needs_tool if is_decided else _needs_tool_now)
    except IncompatibleRun as error:
        if not error.agent:
            raise
        if not tells_of_missing_tools(env):
            text = f"Tool {error.missing} not found in agent {error.agent}. {error}"
            raise StateMismatch(text) from None  # The same error, in the words of openai-agents.


def _needs_tool_now(state: RunState, call: Call) -> bool:
    """A state may be looked at while a person has not decided: the tool is needed afterwards."""
    is_undecided = call.id in state.requested and call.id not in state.decided
    return needs_tool(state, call) and not is_undecided


async def require_fit(env: RunEnv, needs: Callable[[RunState, Call], bool] = needs_tool) -> None:
    """Refuse a run that this program cannot go on with. Asks user code for the turn in progress.

    Raises:
        IncompatibleRun: The program lacks an agent, a tool, a guardrail or a type that the run needs
            next, or a newer version of Outlast wrote the log. Nothing was recorded.
    """
    state = env.log.state
    if not state.started or state.ended:
        return
    require_known(env.log)
    agent = env.agents.find(state.agent)
    if agent is None:
        raise _missing_agent(env, state.agent)
    for check in open_checks(state):
        if find_guardrail(env, check.id) is None:
            raise missing_guardrail(env, check)
    _require_type(env, agent)
    calls = [call for call in state.open_calls.values() if needs(state, call)]
    if calls and state.prepared and (turn := await _turn(env)):
        document = await tools_on_record(env, state.prepared)
        for call in calls:
            _require_call(env, turn, call, document)
            await _require_child(env, turn, call)


def _missing_agent(env: RunEnv, name: str) -> IncompatibleRun:
    first = env.agents.first.name
    return IncompatibleRun.changed(
        env.log.run_id,
        f"it is at agent {name!r}, and agent {first!r} leads to {sorted(env.agents.known())} only",
        "Go on with it in a program that has that agent.",
        name,
    )


def asks_at_end(env: RunEnv, agent: AnyAgent) -> bool:
    """Whether user code has a word in how a turn of ``agent`` ends."""
    has_hooks = env.hooks is not None or agent.hooks is not None
    return has_hooks or bool(output_guardrails(agent, env.config)) or _mark(agent) != ""


# --- The type of the output. -------------------------------------------------------------


def _require_type(env: RunEnv, agent: AnyAgent) -> None:
    """An output that the model made for another type is not lost, and not taken for one of this."""
    pending = pending_output(env.log.state)
    if pending is None:
        return
    text, made_for = pending
    wanted = _mark(agent)
    if wanted == made_for or (wanted and structured_value(agent, text)[1]):
        return
    old, new = made_for.partition("#")[0], wanted.partition("#")[0]
    raise IncompatibleRun.changed(
        env.log.run_id,
        f"its output was made for {f'output type {old!r}' if old else 'plain text'}, and agent "
        f"{agent.name!r} wants {f'{new!r}, which it does not fit' if new else 'plain text'}",
        "Go on with it in a program that has that output type.",
        old,
    )


def _mark(agent: AnyAgent) -> str:
    try:
        return output_mark(output_schema(agent))
    except UserError:
        return "?"  # No type at all: nothing fits it.


# --- Calls. ------------------------------------------------------------------------------


async def _turn(env: RunEnv) -> PreparedTurn | None:
    """The turn in progress; None where user code fails, which the effect that needs it will say."""
    prepared, log = env.state.prepared, env.log
    assert prepared

    async def emit(*events: Event) -> None:
        log.add(events)  # Durable with what the run does next, if it goes on.

    try:
        with Place(env, prepared.id, emit, log.journal).entered():
            return await live_turn(env)
    except (IncompatibleRun, JournalError):
        raise
    except Exception:  # noqa: BLE001  # user code may raise anything
        return None


def _require_call(
    env: RunEnv, turn: PreparedTurn, call: Call, document: list[dict[str, Any]]
) -> None:
    """Refuse a call whose tool or handoff is gone, also where others of the reply are there."""
    if call.kind == "handoff":
        is_there = call.name in turn.transfers
    else:
        tool = turn.tool(call)
        is_there = tool is not None or not was_offered(call, document)
        if isinstance(tool, FunctionTool):
            _require_arguments(env, turn.agent, call, tool, document)
    if not is_there:
        raise missing_tool(env, turn.agent, call)


def _require_arguments(
    env: RunEnv,
    agent: AnyAgent,
    call: Call,
    tool: FunctionTool,
    document: list[dict[str, Any]],
) -> None:
    """Refuse arguments that only the tool's earlier schema allows, where the model cannot be told.

    A call that had begun may have taken effect: told that it was invalid, a model makes another.
    """
    state = env.log.state
    was = [each["parameters"] for each in document if each.get("name") == tool.qualified_name]
    now = msgspec.json.decode(msgspec.json.encode(tool.params_json_schema, enc_hook=str))
    has_begun = effect_id("tool", state.turn, call.id) in {*state.in_doubt, *state.steps}
    if was in ([], [now]):
        return
    if lost := tool.changes(call_item_at(env.state, call.index).get("arguments") or "", was[-1]):
        raise IncompatibleRun.changed(
            env.log.run_id,
            f"its call {call.id!r} was made with the argument {lost!r}, and the tool "
            f"{call.qualified_name!r} of agent {agent.name!r} has no such parameter now, or would take "
            "it for something else",
            "Go on with it in a program whose tool has that parameter, with its type.",
            call.qualified_name,
        )
    if not has_begun and tool.failure_function() is not None:
        return
    if not tool.accepts(call_item_at(env.state, call.index).get("arguments") or ""):
        raise IncompatibleRun.changed(
            env.log.run_id,
            f"its call {call.id!r} has arguments for an earlier schema of the tool "
            f"{call.qualified_name!r} of agent {agent.name!r}, which the tool does not take now",
            "Go on with it in a program whose tool takes them.",
            call.qualified_name,
        )


# --- Agents that are tools. --------------------------------------------------------------


async def _require_child(env: RunEnv, turn: PreparedTurn, call: Call) -> None:
    """Refuse a call that an agent answers whose own run does not fit the program."""
    state = env.log.state
    key = effect_id("tool", state.turn, call.id)
    tool = turn.functions.get(call.qualified_name)
    if call.kind != "function" or tool is None:
        return
    # Its id follows from its place: that it began may not have come into this run's log.
    run_id = state.children.get(key) or f"{env.log.run_id}/{key}"
    try:
        stored = await env.log.journal.read(run_id)
    except RunNotFound:
        return  # It has not begun, or is kept elsewhere.
    agent: Any = tool.agent
    if not isinstance(agent, Agent):
        raise IncompatibleRun.changed(
            env.log.run_id,
            f"an agent answers its call {call.id!r} in run {run_id!r}, and the tool "
            f"{call.qualified_name!r} of agent {turn.agent.name!r} is no agent",
            _ADVICE,
            call.qualified_name,
        )
    log = RunLog(env.log.journal, Lease(run_id, 0, len(stored)), [each.event for each in stored])
    if log.state.started and not log.state.ended:
        log.add([RunAcquired("")])  # As it will be; nothing is written.
    await require_fit(
        RunEnv(
            log=log,
            agents=Registry(cast("AnyAgent", agent)),
            context=env.context,
            config=tool.agent_config or env.config,
            scope=env.scope,
        )
    )
