"""Who performs which effect. Any engine, in any process, performs by this one function."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from outlast.core import events
from outlast.core.effects import (
    AskApproval,
    CallModel,
    CheckGuardrail,
    Conclude,
    Effect,
    HandOff,
    LoadSession,
    Park,
    Prepare,
    Recover,
    RunTool,
    SaveSession,
    ShortenSession,
    Wait,
)
from outlast.core.errors import RunParked, machine_error
from outlast.core.events import Event, TimerFired
from outlast.core.failing import LONGEST_PARK_S, park_wait
from outlast.definitions.clock import wall_s
from outlast.effects import prepare, session
from outlast.effects.approval import ask_approval
from outlast.effects.conclude import conclude, recover
from outlast.effects.guardrail import check
from outlast.effects.handoff import hand_off
from outlast.effects.live import failure_event
from outlast.effects.local_tools import run_local_tool
from outlast.effects.model import call_model
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.paid_calls import paid_tool_call
from outlast.effects.tool import run_function
from outlast.effects.unexecuted_calls import answer_without_running
from outlast.effects.view import RunView, show_input

Within = Callable[[Effect, Callable[[Any], Awaitable[Outcome]]], Awaitable[Outcome]]


async def perform(
    effect: Effect, view: RunView, emit: Emit, within: Within | None = None
) -> Outcome:
    """What ``effect`` comes to. An error of user code or of a model is its failure, as an event.

    Args:
        effect: What to perform.
        view: The run as it is now.
        emit: Adds to the run's log while the effect goes on.
        within: Performs what it is given inside something, such as a span, and sees its errors.

    Raises:
        AgentsException: An error of the machine: nothing is known of the effect, and the run stops.
    """
    show_input(view)
    try:
        if within is None:
            return await _PERFORM[type(effect)](effect, view, emit)
        return await within(effect, lambda each: _PERFORM[type(each)](each, view, emit))
    except Exception as error:  # noqa: BLE001  # user code may raise anything
        failure = machine_error(error)
        is_repeatable = isinstance(effect, RunTool) and effect.policy == "retry"
        if isinstance(failure, RunParked) and is_repeatable:
            return Outcome([_parked_inside(effect, failure)])
        if failure is not None:
            raise failure  # noqa: B904  # it is its own cause
        return Outcome([failure_event(effect, view.live, error)])


def _run_tool(effect: RunTool, view: RunView, emit: Emit) -> Awaitable[Outcome]:
    if effect.verdict != "run":
        return answer_without_running(effect, view)
    run = run_function if effect.call.kind == "function" else run_local_tool
    return paid_tool_call(effect, view, emit, run)


async def _wait(effect: Wait, view: RunView, emit: Emit) -> Outcome:
    del view, emit
    left = max(0.0, effect.at - wall_s())
    await asyncio.sleep(left if effect.longest_s is None else min(left, effect.longest_s))
    return Outcome([TimerFired(effect.id)])


async def _park(effect: Park, view: RunView, emit: Emit) -> Outcome:
    del view, emit
    wait = effect.at_least_s
    if not effect.is_exact:
        # A little chance: whoever failed together must not come back together.
        chance = 1.0 + random.random() / 10  # noqa: S311  # not for secrets
        wait = max(min(wait, LONGEST_PARK_S), park_wait(effect.number) * chance)
    parked = events.RunParked(effect.id, effect.of, wall_s() + wait, wait, effect.number)
    return Outcome([parked])


async def _shorten(effect: ShortenSession, view: RunView, emit: Emit) -> Outcome:
    from outlast.effects.shortening import shorten  # Few sessions shorten themselves.

    return await shorten(effect, view, emit)


def _parked_inside(effect: Effect, parked: RunParked) -> Event:
    """A run inside a tool call waits for its provider: so does the call."""
    left = max(0.0, parked.retry_at - wall_s())
    return events.RunParked(effect.id, effect.id, parked.retry_at, left)


_PERFORM: dict[type, Callable[[Any, RunView, Emit], Awaitable[Outcome]]] = {
    Prepare: prepare.prepare,
    CallModel: call_model,
    RunTool: _run_tool,
    HandOff: hand_off,
    CheckGuardrail: check,
    AskApproval: ask_approval,
    Conclude: conclude,
    Recover: recover,
    LoadSession: session.load,
    SaveSession: session.save,
    ShortenSession: _shorten,
    Wait: _wait,
    Park: _park,
}
"""Every effect but `Record`, which the loop sees to itself. A test holds it complete."""
