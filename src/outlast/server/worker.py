"""The part of a process that performs runs: those that nobody performs, whoever has asked for them.

A run is enqueued by being written, and claimed by being acquired. So there is no queue beside the
journal, any number of workers may look at one, and what a dead worker leaves is found like what is new.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from outlast.core.errors import AgentsException, AlreadyRunning, MachineError, RunFailedBefore
from outlast.core.evolve import fold
from outlast.definitions.clock import wall_s
from outlast.definitions.logger import logger
from outlast.effects.config import RunConfig
from outlast.journal.journal import Journal, RunSummary
from outlast.run import control
from outlast.run.recover import due_runs, left_runs
from outlast.run.runner import get_default_agent_runner
from outlast.run.stream import RunResultStreaming
from outlast.server.background import tried
from outlast.server.live import LiveTexts
from outlast.server.metrics import Metrics
from outlast.server.registry import Agents
from outlast.server.slots import Slots
from outlast.views.status import status
from outlast.views.takeovers import vain_takeovers

LOOK_S = 1.0
"""Between two looks for runs that other processes have left or enqueued."""
_ALL_LOOKS = 5
"""Every so many looks, runs that wait for a time are looked at too, which takes reading their logs."""
_PAUSE_MAX_S = 600.0
ATTEMPTS = 12
"""A run that so many have begun to go on with, in vain, is paused: it may be what kills them."""
_QUICK_ATTEMPTS = 3
"""After so many, the next one waits, twice as long each time: a run that only was there when processes
were killed goes on, and one that kills them does so ever more rarely."""

Own = Callable[[RunSummary], Any | Awaitable[Any]]
"""Makes a run's own session or context."""


class Worker:
    """Performs runs of these agents, as many at a time as it may."""

    def __init__(
        self, agents: Agents, journal: Journal, config: RunConfig, *, concurrency: int
    ) -> None:
        self.live = LiveTexts()
        self.concurrency = concurrency
        self.context: Own | None = None
        self.session: Own = lambda _: None
        self._agents = agents
        self._journal = journal
        self._config = replace(config, journal=journal)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._results: dict[str, RunResultStreaming] = {}
        self._ends: dict[str, asyncio.Event] = {}
        """Set when what is performed of a run here has ended."""
        self._bell = asyncio.Event()
        self._is_behind = False
        """Whether runs were left for want of room, or for another run of their conversation."""
        self._held_back: dict[str, tuple[int, float]] = {}
        self.is_leaving = False
        self.slots: Slots | None = None
        self.queues: frozenset[str] | None = None
        """The queues whose agents' runs are performed here; None for all."""
        self.queue_of: Mapping[str, str] = {}
        """The queues of agents that have one."""
        self.metrics = Metrics()

    @property
    def in_flight(self) -> int:
        """How many runs are performed."""
        return len(self._tasks)

    @property
    def has_context(self) -> bool:
        """Whether runs have a context."""
        return self.context is not None

    def performs(self, run_id: str) -> bool:
        """Whether a run is performed here."""
        return run_id in self._tasks

    async def until_put_down(self, run_id: str) -> None:
        """Wait until a run is not performed here: that takes no look at its log."""
        if end := self._ends.get(run_id):
            await end.wait()

    async def work(self) -> None:
        """Look for runs and perform them, until cancelled."""
        looks = 0
        while True:
            self._bell.clear()
            await tried("Looking for runs", self.look(is_whole=looks % _ALL_LOOKS == 0))
            looks += 1
            pause_s = LOOK_S * random.uniform(0.8, 1.2)  # noqa: S311  # no secret
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), pause_s)

    async def until_idle(self) -> None:
        """Wait until nothing is performed and nothing is due."""
        await self.look(is_whole=True)
        while self._tasks or self._is_behind:
            await asyncio.wait(
                [*self._tasks.values()] or [asyncio.create_task(asyncio.sleep(LOOK_S))]
            )
            await self.look(is_whole=True)

    async def look(self, *, is_whole: bool) -> None:
        """Begin with what is due, as far as there is room."""
        known = self._agents.by_name
        if is_whole:
            due = await due_runs(self._journal, known, failed=False)
        else:
            due = list(await left_runs(self._journal, known))
        self._is_behind = False
        now = wall_s()
        for run in sorted(due, key=lambda run: _rank(run, now)):
            await self.take(run)

    async def offer(self, run_id: str, *, goes_on: bool = False) -> None:
        """Perform a run at once, if nobody does and there is room.

        Args:
            run_id: The run.
            goes_on: Whether it goes on too if it has failed, or is paused.
        """
        found = await self._journal.runs(run_id_starts=run_id)
        run = next((run for run in found if run.run_id == run_id), None)
        if run is not None and run.agent in self._agents.by_name:
            self._held_back.pop(run_id, None)
            await self.take(run, goes_on=goes_on)

    async def drain(self, grace_s: float) -> None:
        """Begin nothing more, let what is performed end, and cancel what has not after the grace."""
        self.put_down()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def put_down(self) -> None:
        """Begin nothing more: runs are given back as soon as what is performed of them has ended."""
        self.is_leaving = True
        for result in self._results.values():
            result.put_down()

    async def take(self, run: RunSummary, *, goes_on: bool = False) -> None:
        """Perform a run, if nobody does here, there is room, and it is next."""
        now = asyncio.get_running_loop().time()
        if (
            self.is_leaving
            or run.run_id in self._tasks
            or self._held_back.get(run.run_id, (0, 0.0))[1] > now
            or (run.metadata.not_before or 0.0) > wall_s()
            or (self.queues is not None and self.queue_of.get(run.agent, "") not in self.queues)
        ):
            return
        if len(self._tasks) >= self.concurrency or not await self._is_next(run):
            self._is_behind = True
            return
        if run.run_id in self._tasks:  # Somebody has begun it while this looked.
            return
        if self.slots is not None and not self.slots.take(run.agent, run.run_id):
            self._is_behind = True
            return
        task = asyncio.create_task(self._perform(run, goes_on=goes_on))
        self._tasks[run.run_id] = task
        self._ends[run.run_id] = asyncio.Event()
        task.add_done_callback(lambda _: self._ended(run.run_id))

    async def _is_next(self, run: RunSummary) -> bool:
        """Whether no earlier run of its conversation has something to do: one at a time, in order."""
        session_id = run.metadata.session_id
        if session_id is None or run.status != "running":
            return True
        rows = await self._journal.runs(
            status="running", session_id=session_id, tenant=run.metadata.tenant, roots_only=True
        )
        return not rows or rows[-1].run_id == run.run_id

    def _ended(self, run_id: str) -> None:
        self._tasks.pop(run_id, None)
        self._results.pop(run_id, None)
        self.live.end(run_id)
        if self._is_behind:
            self._bell.set()

    async def _perform(self, run: RunSummary, *, goes_on: bool) -> None:
        began = time.monotonic()
        try:
            await self._tried(run, goes_on=goes_on)
        finally:
            self._ends.pop(run.run_id).set()
            if self.slots is not None:
                self.slots.give_back(run.agent, run.run_id)
            await asyncio.shield(self._count(run, time.monotonic() - began))

    async def _count(self, run: RunSummary, seconds: float) -> None:
        if self.metrics.is_there:
            with contextlib.suppress(AgentsException):
                state = fold([each.event for each in await self._journal.read(run.run_id)])
                self.metrics.run(run.agent, status(state), seconds, state.usage)

    async def _tried(self, run: RunSummary, *, goes_on: bool) -> None:
        try:
            if run.events == 1 and (run.metadata.begins_before or math.inf) < wall_s():
                config = {"journal": self._journal}
                await control.cancel(
                    run.run_id, by="worker", why="It is too late to begin.", run_config=config
                )
                return
            if run.events > _QUICK_ATTEMPTS and not goes_on and await self._is_poison(run):
                return
            await self._performed(run, goes_on=goes_on)
        except (AlreadyRunning, RunFailedBefore):
            return  # Another worker was quicker.
        except MachineError as error:
            self._hold_back(run.run_id)
            logger.warning("Run %r does not go on: %s.", run.run_id, type(error).__name__)
        except Exception as error:  # noqa: BLE001  # whoever raised it, it is in the log or one run's own
            logger.info("Run %r failed of %s.", run.run_id, type(error).__name__)
            if run.status == "running" and await self._is_left(run.run_id):
                self._hold_back(run.run_id)

    async def _is_poison(self, run: RunSummary) -> bool:
        """Whether so many have taken it up, one after the other, in vain that it is not to go on now."""
        log = await self._journal.read(run.run_id)
        times = vain_takeovers(log)
        if times >= ATTEMPTS:
            why = f"PoisonRun: {times} processes have died or given up on it without getting on."
            config = {"journal": self._journal}
            await control.pause(run.run_id, by="worker", why=why, run_config=config)
            return True
        pause_s = min(2.0 ** (times - _QUICK_ATTEMPTS), _PAUSE_MAX_S)
        wait_s = log[-1].at + pause_s - wall_s() if times >= _QUICK_ATTEMPTS else 0.0
        if wait_s > 0:
            until = asyncio.get_running_loop().time() + min(wait_s, _PAUSE_MAX_S)
            self._held_back[run.run_id] = (0, until)
        return wait_s > 0

    async def _is_left(self, run_id: str) -> bool:
        """Whether a run has not ended, although performing it has failed: it was never begun."""
        rows = await self._journal.runs(status="running", run_id_starts=run_id)
        return any(row.run_id == run_id for row in rows)

    def _hold_back(self, run_id: str) -> None:
        """Let a run alone for a while: it may be mended, and is not to be tried at every look."""
        times = self._held_back.get(run_id, (0, 0.0))[0] + 1
        pause_s = min(LOOK_S * 2 ** min(times, 20), _PAUSE_MAX_S)
        self._held_back[run_id] = (times, asyncio.get_running_loop().time() + pause_s)

    async def _performed(self, run: RunSummary, *, goes_on: bool) -> None:
        options: dict[str, Any] = {
            "context": await _made(self.context, run) if self.context else None,
            "session": await _made(self.session, run),
        }
        result = self._results[run.run_id] = get_default_agent_runner().run_streamed(
            self._agents.by_name[run.agent],
            "",
            run_id=run.run_id,
            run_config=self._config,
            is_recovery=True,
            goes_on=goes_on,
            **options,
        )
        if self.is_leaving:
            result.put_down()
        try:
            async for event in result.stream_events():
                if event.type == "raw_response_event":
                    self._write(run.run_id, result.current_turn, event.data)
        except asyncio.CancelledError:
            result.interrupt()
            if result.run_loop_task is not None:
                await asyncio.wait([result.run_loop_task])
            raise

    def _write(self, run_id: str, turn: int, event: Any) -> None:
        if event.type == "response.created":
            self.live.begin(run_id, turn)
        elif event.type == "response.output_text.delta":
            self.live.add(run_id, turn, event.delta)


def _rank(run: RunSummary, now: float) -> tuple[float, float, str]:
    """Where a run stands among those that wait: waiting makes it more urgent, so none waits for ever."""
    since = max(run.created_at, run.metadata.not_before or 0)
    return (-run.metadata.priority - (now - since) // 60, run.created_at, run.run_id)


async def _made(make: Own, run: RunSummary) -> Any:
    made = make(run)
    return await made if inspect.isawaitable(made) else made
