"""The one loop: perform what a run needs until it needs nothing.

What is wanted is decided afresh after every event. A newly wanted effect is started, after its
start was committed; one that is no longer wanted is cancelled. So a tripped guardrail, a handoff,
an approval, a cancelled run, a message that arrives mid-run and a resume need no code here.

It waits for results and for the run's inbox, where anybody posts commands; see `core.commanding`.

The loop sees no clock, no random and no thread, and starts tasks in one order: an engine for a
deterministic host (Temporal's workflows) is another `Engine`, not another loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from outlast.core.decide import decide, leaves_wishes
from outlast.core.effects import DRAIN_S, Effect, Record
from outlast.core.errors import machine_error
from outlast.core.events import EffectStarted, Event
from outlast.core.ids import EffectId
from outlast.core.state import RunState, idempotency_key
from outlast.effects.outcome import Emit, HookCall, Outcome


class Log(Protocol):
    """The log of one run, as far as the loop needs it."""

    @property
    def run_id(self) -> str:
        """The id of the run."""
        ...

    @property
    def state(self) -> RunState:
        """What the log amounts to, with what is not committed yet."""
        ...

    @property
    def has_commands(self) -> bool:
        """Whether somebody may have posted a command that was not taken yet."""
        ...

    @property
    def is_put_down(self) -> bool:
        """Whether nothing more is to begin: what is performed ends, and another process goes on."""
        ...

    def add(self, events: Iterable[Event]) -> None:
        """Fold ``events``; they are durable after the next `commit`."""
        ...

    async def commit(self) -> None:
        """Make everything that was added durable, all or none.

        Where that would end the run and a command has come, nothing is written: `has_commands` says
        that there is something to `take` first.
        """
        ...

    def take(self) -> None:
        """Add what comes of the commands that have come, each once."""
        ...

    def listen(self, wake: Callable[[], None], stop: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` when a command comes, ``stop`` to end it all. What this returns ends that."""
        ...


class Engine(Protocol):
    """How effects are performed."""

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        """The events that end ``effect``, where no user code and no I/O is needed; else None.

        What it raises is the failure of ``effect``, as an event.
        """
        ...

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        """Perform ``effect``. Errors of user code come back as events.

        What it adds to the log before it has ended goes through ``emit``.
        """
        ...

    async def tell(self, effect: Effect, hooks: Sequence[HookCall]) -> None:
        """Tell user code what ``effect`` came to. Its events are durable."""
        ...

    def failed(self, effect: Effect, error: Exception) -> Event:
        """Remember ``error`` as the failure of ``effect``."""
        ...


async def drive(log: Log, engine: Engine) -> None:
    """Perform effects until the run is over or waits for somebody else.

    Raises:
        JournalError: The log could not be written. Nothing was begun that is not in it.
    """
    flight = _Flight(log, engine)
    ignore = log.listen(flight.wake, flight.stop)
    try:
        while True:
            if log.has_commands:
                log.take()
            fresh = [] if log.is_put_down else _advance(log, engine, flight)
            await log.commit()
            for effect in fresh:
                flight.start(effect)
            if not flight.tasks and not log.has_commands:
                return
            if not log.has_commands:
                await flight.wait()
            while flight.has_landed:  # A failure must not lose what else has happened.
                await _settle(log, engine, flight, flight.landed())
            if flight.error is not None:
                await log.commit()
                raise flight.error
    except GeneratorExit:
        flight.forget()  # Whoever held this coroutine dropped it: nothing runs that could be awaited.
        raise
    finally:
        ignore()
        await flight.drain()


def _advance(log: Log, engine: Engine, flight: _Flight) -> list[Effect]:
    """Record what follows without performing; return what is to begin, its start recorded."""
    if flight.tasks and flight.decided is log.state:
        return []
    while True:
        wanted = decide(log.state)
        derived = [event for effect in wanted for event in _derived(effect, engine, log, flight)]
        if not derived:
            break
        log.add(derived)
    if flight.tasks:
        flight.cancel_all_but({effect.id for effect in wanted})
    fresh = [effect for effect in wanted if effect.id not in flight.tasks]
    log.add([_start(effect, log) for effect in fresh])
    flight.decided = log.state
    return fresh


def _derived(effect: Effect, engine: Engine, log: Log, flight: _Flight) -> Sequence[Event]:
    if isinstance(effect, Record):
        return (effect.event,)
    if effect.id in flight.tasks:
        return ()
    try:
        return engine.derive(effect, log.state) or ()
    except Exception as error:
        if machine_error(error) is not None:
            raise
        return (engine.failed(effect, error),)  # Such as two tools of one name.


def _start(effect: Effect, log: Log) -> EffectStarted:
    """The start of an effect. Its key is the same for every attempt, whatever happens between."""
    state = log.state
    doubt = state.in_doubt.get(effect.id)
    before = max(doubt.attempt if doubt else 0, state.attempts.get(effect.id, 0))
    if state.requested and (asked := state.requested.get(EffectId.parse(effect.id).key)):
        before = max(before, asked.number)
    key = idempotency_key(state, log.run_id, effect.id) if effect.kind == "tool" else ""
    return EffectStarted(effect.id, effect.kind, effect.name, before + 1, effect.policy, key)


async def _settle(
    log: Log, engine: Engine, flight: _Flight, landed: list[tuple[Effect, Outcome]]
) -> None:
    for _, outcome in landed:
        flight.add(outcome.events)
    tellings = [(effect, outcome.hooks) for effect, outcome in landed if outcome.hooks]
    if not tellings:
        return
    await log.commit()
    results = await asyncio.gather(
        *(engine.tell(effect, hooks) for effect, hooks in tellings), return_exceptions=True
    )
    for (effect, _), error in zip(tellings, results, strict=True):
        if (failure := machine_error(error)) is not None:
            raise failure
        if isinstance(error, Exception):
            log.add([engine.failed(effect, error)])
        elif error is not None:
            raise error


class _Flight:
    """The effects that are being performed, each in a task that ends before `drive` does."""

    def __init__(self, log: Log, engine: Engine) -> None:
        self.tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._engine = engine
        self._log = log
        self._landed: deque[tuple[Effect, asyncio.Task[Outcome]]] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._leaving: set[asyncio.Task[Outcome]] = set()
        self.decided: RunState | None = None
        """The state for which all that is wanted is in flight, unless it has ended since."""
        self.error: BaseException | None = None
        """What is no event: an error of the machine, or the end of the process."""

    def start(self, effect: Effect) -> None:
        task = asyncio.get_running_loop().create_task(self._engine.perform(effect, self._emit))
        self.tasks[effect.id] = task
        task.add_done_callback(lambda done: self._land(effect, done))

    async def _emit(self, *events: Event) -> None:
        self.add(events)
        await self._log.commit()

    def add(self, events: Iterable[Event]) -> None:
        """Add to the log what came of effects."""
        log = self._log
        for event in events:
            is_decided = self.decided is log.state and leaves_wishes(log.state, event)
            log.add((event,))
            if is_decided:
                self.decided = log.state

    def _land(self, effect: Effect, task: asyncio.Task[Outcome]) -> None:
        self._leaving.discard(task)
        if self.tasks.get(effect.id) is task:
            self._landed.append((effect, task))
        elif not task.cancelled():
            task.exception()  # Nobody wants its result any more.
        self.wake()

    def wake(self) -> None:
        """End `wait`: something has happened."""
        if self._wake and not self._wake.done():
            self._wake.set_result(None)

    def stop(self) -> None:
        """Cancel what is performed, at once: what has not begun to run never does."""
        for task in self.tasks.values():
            task.cancel()

    @property
    def has_landed(self) -> bool:
        """Whether something has ended that nobody has looked at."""
        return bool(self._landed)

    async def wait(self) -> None:
        """Wait until something has ended, or somebody wakes who waits."""
        if not self._landed:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    def landed(self) -> list[tuple[Effect, Outcome]]:
        """What has ended that nobody has looked at."""
        results: list[tuple[Effect, Outcome]] = []
        while self._landed:
            effect, task = self._landed.popleft()
            if self.tasks.pop(effect.id, None) is not task:
                continue
            try:
                results.append((effect, task.result()))
            except BaseException as error:  # noqa: BLE001  # raised when the other results are safe
                self.error = self.error or error
        return results

    def cancel_all_but(self, wanted: set[str]) -> None:
        for key in [key for key in self.tasks if key not in wanted]:
            task = self.tasks.pop(key)
            task.cancel()
            self._leaving.add(task)

    def forget(self) -> None:
        """Leave the tasks to whoever closes their loop."""
        self.tasks.clear()
        self._leaving.clear()

    async def drain(self) -> None:
        """Cancel what is left and wait for it, but not for ever: a tool may refuse to stop."""
        if self.tasks:
            self.cancel_all_but(set())
        if leaving := [task for task in self._leaving if not task.done()]:
            await asyncio.wait(leaving, timeout=DRAIN_S)
