"""The local engine: effects are performed in this process, events go to the journal."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
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
    Wait,
)
from outlast.core.errors import RunParked, machine_error
from outlast.core.events import EffectFailed, Event, TimerFired
from outlast.core.failing import LONGEST_PARK_S, park_wait
from outlast.core.state import RunState
from outlast.engine.drive import Done
from outlast.engine.env import RunEnv
from outlast.engine.failures import error_facts
from outlast.engine.perform import prepare, session
from outlast.engine.perform.approval import ask_approval
from outlast.engine.perform.conclude import conclude, recover
from outlast.engine.perform.guardrail import check
from outlast.engine.perform.handoff import hand_off
from outlast.engine.perform.local_tools import run_local_tool
from outlast.engine.perform.model import call_model
from outlast.engine.perform.outage import is_outage, longest_wish
from outlast.engine.perform.refusal import answer_without_running
from outlast.engine.perform.tool import run_function
from outlast.engine.place import Place


class LocalEngine:
    """Performs the effects of one run in this process."""

    __slots__ = ("env",)

    def __init__(self, env: RunEnv) -> None:
        self.env = env

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        """What follows without user code; None for everything that has to be performed."""
        del state
        if self.env.spans is not None:
            self.env.spans.before(effect)
        return prepare.derive(self.env, effect) if isinstance(effect, Prepare) else None

    async def perform(self, effect: Effect) -> Done:
        """Perform ``effect``. An error of user code or of a model is its failure, as an event."""
        spans = self.env.spans
        place = Place(self.env.log, effect.id)
        try:
            with place.entered():
                done = await (
                    spans.perform(effect, self._perform) if spans else self._perform(effect)
                )
            return done if done.after is None else Done(done.events, _at(place, done.after))
        except Exception as error:  # noqa: BLE001  # user code may raise anything
            failure = machine_error(error)
            is_repeatable = isinstance(effect, RunTool) and effect.policy == "retry"
            if isinstance(failure, RunParked) and is_repeatable:
                return Done([_parked_inside(effect, failure)])
            if failure is not None:
                raise failure  # noqa: B904  # it is its own cause
            return Done([self.failed(effect, error)])

    def failed(self, effect: Effect, error: Exception) -> Event:
        """Remember ``error`` for the caller, and its class and message for the log."""
        self.env.live.errors[effect.id] = error
        facts = error_facts(error, effect.id)
        if not isinstance(effect, CallModel) or not is_outage(error):
            return EffectFailed(effect.id, facts)
        return EffectFailed(effect.id, facts, wait_s=longest_wish(error), is_outage=True)

    def _perform(self, effect: Effect) -> Awaitable[Done]:
        self.env.show_input()
        return _PERFORM[type(effect)](self.env, effect)


def _at(place: Place, hooks: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """The hooks that are told of an effect once it is durable: they are a part of it too."""

    async def told() -> None:
        with place.afterwards().entered():
            await hooks()

    return told


def _run_tool(env: RunEnv, effect: RunTool) -> Awaitable[Done]:
    if effect.verdict != "run":
        return answer_without_running(env, effect)
    return (run_function if effect.call.kind == "function" else run_local_tool)(env, effect)


async def _wait(env: RunEnv, effect: Wait) -> Done:
    del env
    left = max(0.0, effect.at - time.time())
    await asyncio.sleep(left if effect.longest_s is None else min(left, effect.longest_s))
    return Done([TimerFired(effect.id)])


async def _park(env: RunEnv, effect: Park) -> Done:
    del env
    wait = effect.at_least_s
    if not effect.is_exact:
        # A little chance: whoever failed together must not come back together.
        chance = 1.0 + random.random() / 10  # noqa: S311  # not for secrets
        wait = max(min(wait, LONGEST_PARK_S), park_wait(effect.number) * chance)
    parked = events.RunParked(effect.id, effect.of, time.time() + wait, wait, effect.number)
    return Done([parked])


def _parked_inside(effect: Effect, parked: RunParked) -> Event:
    """A run inside a tool call waits for its provider: so does the call."""
    left = max(0.0, parked.retry_at - time.time())
    return events.RunParked(effect.id, effect.id, parked.retry_at, left)


_PERFORM: dict[type, Callable[[RunEnv, Any], Awaitable[Done]]] = {
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
    Wait: _wait,
    Park: _park,
}
"""Every effect but `Record`, which the loop sees to itself. A test holds it complete."""
