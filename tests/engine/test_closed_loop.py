"""A loop that its holder drops ends at once: nothing is there that could be waited for."""

from __future__ import annotations

import asyncio
from typing import Any

from outlast.core.effects import Effect
from outlast.core.events import EffectFailed, ErrorFacts, Event, RunStarted
from outlast.effects.outcome import Outcome
from outlast.engine.drive import drive
from outlast.engine.log import RunLog
from outlast.journal import MemoryJournal


class Endless:
    """An engine whose effects never end."""

    def derive(self, effect: Effect, state: Any) -> None:
        return None

    async def perform(self, effect: Effect, emit: Any) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    async def tell(self, effect: Effect, hooks: Any) -> None:
        raise AssertionError

    def failed(self, effect: Effect, error: Exception) -> Event:
        return EffectFailed(effect.id, ErrorFacts(type(error).__name__, str(error)))


async def test_a_loop_that_is_dropped_while_effects_go_on_does_not_wait_for_them():
    journal = MemoryJournal()
    lease = await journal.acquire("r", new=True)
    log = RunLog(journal, lease)
    log.add([RunStarted("desk", [{"role": "user", "content": "hi"}])])
    loop = drive(log, Endless())
    loop.send(None)
    assert log.state.in_flight
    loop.close()  # "coroutine ignored GeneratorExit", if it waited
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await journal.release(lease)
