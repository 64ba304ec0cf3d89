"""A workflow that drives a run: the loop and the core run in Temporal's sandbox, effects outside of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from temporalio import workflow

from outlast.core.effects import Effect
from outlast.core.events import EffectFailed, ErrorFacts, Event
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.core.usage import usage_of
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.engine.drive import drive

_MINUTE = timedelta(minutes=1)


class History:
    """A log that Temporal's history keeps: what activities answered is there already."""

    run_id = "r"
    has_commands = False
    is_put_down = False

    def __init__(self, events: list[Event]) -> None:
        self.events, self.state = events, fold(events)

    def add(self, events: Iterable[Event]) -> None:
        fresh = list(events)
        self.events += fresh
        self.state = fold(fresh, self.state)

    async def commit(self) -> None:
        """Nothing waits to be written."""

    def take(self) -> None:
        """Nobody tells this run anything."""

    def listen(self, wake: Callable[[], None], stop: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class Activities:
    """An engine each of whose effects is an activity."""

    def __init__(self, log: History) -> None:
        self._log = log

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        return None

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        answer = await self._asked("perform", effect, ())
        return msgspec.json.decode(answer, type=Outcome)

    async def tell(self, effect: Effect, hooks: Sequence[HookCall]) -> None:
        await self._asked("tell", effect, hooks)

    def failed(self, effect: Effect, error: Exception) -> Event:
        return EffectFailed(effect.id, ErrorFacts(type(error).__name__, str(error)))

    async def _asked(self, act: str, effect: Effect, hooks: Sequence[HookCall]) -> str:
        log = msgspec.json.encode(self._log.events).decode()
        said = msgspec.json.encode(hooks).decode()
        return await workflow.execute_activity(
            act, args=[effect.id, log, said], result_type=str, start_to_close_timeout=_MINUTE
        )


@workflow.defn
class DrivenRun:
    @workflow.run
    async def run(self, started: str) -> dict[str, Any]:
        log = History(msgspec.json.decode(started, type=list[Event]))
        await drive(log, Activities(log))
        output = log.state.output
        return {
            "ended": type(log.state.ended).__name__,
            "output": output.output if output else None,
            "cached_tokens": usage_of(log.state.usage).input_tokens_details.cached_tokens,
            "log": msgspec.json.encode(log.events).decode(),
        }
