"""Letting runs go on that nobody performs: when a server or a worker starts, and while it lives."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, Unpack, cast

from outlast.core.deciding import next_expiry
from outlast.core.errors import AgentsException, AlreadyRunning, UserError, WrongType
from outlast.core.evolve import fold
from outlast.core.failing import is_due
from outlast.definitions.agent import Agent
from outlast.definitions.choices import check_choice
from outlast.definitions.clock import wall_s
from outlast.definitions.context import TContext
from outlast.definitions.given import check_number
from outlast.effects.config import coerce_run_config
from outlast.engine.report import log_recovery, log_runs
from outlast.journal.journal import Journal, MetadataFilter, RunSummary
from outlast.run.options import RecoveryOptions
from outlast.run.request import journal_of
from outlast.run.result import RunResult
from outlast.run.runner import Runner
from outlast.views.status import can_go_on_after

RecoveryReport: TypeAlias = dict[str, RunResult | Exception]
"""What each run came to, by its id: its result, or what stopped it."""

_FACTORIES = ("context", "session")


async def recover_runs(
    *agents: Agent[TContext],
    limit: int = 8,
    on_error: Literal["report", "raise"] = "report",
    failed: bool = True,
    only: MetadataFilter | None = None,
    **options: Unpack[RecoveryOptions[TContext]],
) -> RecoveryReport:
    """What every interrupted run came to that began with one of ``agents``, by run id.

    Runs that a living process performs, that wait for a person, or that were abandoned with
    ``on_abandon="leave"`` are left alone, and so are runs of other agents, which a line in the log
    counts. Nested runs go on with the runs that they belong to. What stops one run, be it an error of
    its program or of a factory, is the row of that run and stops no other.

    Args:
        agents: The agents that runs begin with.
        limit: Runs that go on at the same time.
        on_error: ``"report"`` puts errors into the report; ``"raise"`` raises the first one, once all
            runs have ended.
        failed: Whether runs go on too that have failed of what can pass, such as a provider that was
            down. What a guardrail refused stays refused.
        only: Recover only runs whose metadata says this: ``{"tenant": "north"}``.
        options: What `Runner.run` takes by keyword, for all of them. ``context`` and ``session`` may be
            functions, sync or async, that are given the run (`RunSummary`) and return its own.

    Raises:
        UserError: Two of the agents have one name, or ``limit`` is not positive.
    """
    check_choice("on_error", on_error, Literal["report", "raise"])
    plan = _Plan(agents, limit, only or {}, dict(options), failed)
    report = await plan.recover(await plan.due())
    if on_error == "raise":
        for outcome in report.values():
            if isinstance(outcome, Exception):
                raise outcome
    return report


class Recoverer:
    """Goes on with runs whose process died, for as long as this process lives.

        async with Recoverer(desk, context=lambda run: load(run.metadata.user)):
            await serve()

    It looks when it starts and then every ``interval_s`` seconds, a little earlier or later, so that
    many workers do not look at once. Leaving the block stops it: what it goes on with is left as if
    the process had died, for the next one. It never raises; it logs, and `report` has what came of it.

    Args:
        agents: The agents that runs begin with.
        interval_s: Seconds between two looks.
        limit: Runs that go on at the same time.
        failed: Whether runs go on too that have failed of what can pass, each after a growing pause.
        only: Recover only runs whose metadata says this.
        options: As for `recover_runs`.
    """

    def __init__(
        self,
        *agents: Agent,
        interval_s: float = 5.0,
        limit: int = 8,
        failed: bool = False,
        only: MetadataFilter | None = None,
        **options: Unpack[RecoveryOptions[Any]],
    ) -> None:
        check_number("Recoverer interval_s", interval_s, above=True)
        self.report: RecoveryReport = {}
        """What the last 1,000 runs that it went on with came to, by run id."""
        self._plan = _Plan(agents, limit, only or {}, dict(options), failed)
        self._interval_s = interval_s
        self._held_back: dict[str, tuple[int, float]] = {}
        """Runs that did not go on: how often, and until when they are left alone."""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise UserError("This Recoverer was entered already. Make another one.")
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _look(self) -> None:
        tasks: dict[str, asyncio.Task[None]] = {}
        turn = asyncio.Semaphore(self._plan.limit)
        try:
            while True:
                await self._begin_due(tasks, turn)
                await asyncio.sleep(self._interval_s * random.uniform(0.8, 1.2))  # noqa: S311  # no secret
                tasks = {run_id: task for run_id, task in tasks.items() if not task.done()}
        finally:
            for task in tasks.values():
                task.cancel()
            if tasks:
                await asyncio.wait(tasks.values())

    async def _begin_due(
        self, tasks: dict[str, asyncio.Task[None]], turn: asyncio.Semaphore
    ) -> None:
        try:
            due = await self._plan.due()
        except Exception as failure:  # noqa: BLE001  # the journal may be back next time
            log_runs.warning("looking for interrupted runs failed: %s", type(failure).__name__)
            return
        for run in due:
            if run.run_id not in tasks and self._may_try(run.run_id):
                tasks[run.run_id] = asyncio.create_task(self._go_on(run, turn))

    async def _go_on(self, run: RunSummary, turn: asyncio.Semaphore) -> None:
        report = await self._plan.recover([run], turn)
        if not isinstance(report.get(run.run_id), Exception):
            self._held_back.pop(run.run_id, None)
        else:  # It may be mended, and is not to be tried at every look until it is.
            times = self._held_back.get(run.run_id, (0, 0.0))[0] + 1
            pause_s = min(self._interval_s * 2 ** min(times + 1, 20), _PAUSE_MAX_S)
            self._held_back[run.run_id] = (times, asyncio.get_running_loop().time() + pause_s)
        self.report.update(report)
        while len(self.report) > _REPORT_ROWS:
            del self.report[next(iter(self.report))]

    def _may_try(self, run_id: str) -> bool:
        _, until = self._held_back.get(run_id, (0, 0.0))
        return asyncio.get_running_loop().time() >= until


_PAUSE_MAX_S = 600.0
_REPORT_ROWS = 1000


@dataclass(slots=True)
class _Plan:
    """Which runs go on, and with what."""

    agents: Sequence[Agent]
    limit: int
    only: MetadataFilter
    options: dict[str, Any]
    failed: bool

    def __post_init__(self) -> None:
        for agent in self.agents:
            if not isinstance(getattr(agent, "name", None), str):
                raise WrongType(
                    f"Runs are recovered with the agents that they began with, got "
                    f"{type(agent).__name__}. Pass the agents themselves."
                )
        check_number("limit", self.limit, whole=True, least=-math.inf)
        if not isinstance(self.only, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise WrongType(f"only must be a dict of metadata, got {type(self.only).__name__}.")
        names = [agent.name for agent in self.agents]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(
                f"Runs are known by the names of their agents, and two are called {twice[0]!r}. "
                "Pass one of them, or rename it."
            )
        if self.limit < 1:
            raise UserError(f"limit must be at least 1, got {self.limit}.")

    async def due(self) -> list[RunSummary]:
        """The runs of these agents that nobody goes on with, the oldest first."""
        journal = journal_of(coerce_run_config(self.options.get("run_config")))
        known = {agent.name for agent in self.agents}
        return await due_runs(journal, known, failed=self.failed, **self.only)

    async def recover(
        self, runs: Sequence[RunSummary], turn: asyncio.Semaphore | None = None
    ) -> RecoveryReport:
        """What the runs come to. Cancelled, it stops them all."""
        by_name = {agent.name: agent for agent in self.agents}
        turn = turn or asyncio.Semaphore(self.limit)

        async def one(run: RunSummary) -> RunResult | Exception | None:
            async with turn:
                try:
                    return await self._resumed(run, by_name[run.agent])
                except AlreadyRunning:
                    return None  # Another worker was quicker.
                except Exception as error:  # noqa: BLE001  # a row of the report, whoever raised it
                    log_recovery(run.run_id, error)
                    return error

        tasks = [asyncio.ensure_future(one(run)) for run in runs]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            if open_tasks := [task for task in tasks if not task.done()]:
                await asyncio.wait(open_tasks)
        rows = zip(runs, outcomes, strict=True)
        return {run.run_id: outcome for run, outcome in rows if outcome is not None}

    async def _resumed(self, run: RunSummary, agent: Agent) -> RunResult:
        options = dict(self.options)
        for name in _FACTORIES:
            if _is_factory(options.get(name)):
                made = options[name](run)
                options[name] = await made if inspect.isawaitable(made) else made
        log_recovery(run.run_id)
        resume: Callable[..., Awaitable[RunResult]] = cast("Any", Runner.resume)
        try:
            # Stopped with its recovery, it is for the next one to go on with.
            return await resume(run.run_id, agent, is_recovery=True, **options)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise AgentsException(f"Run {run.run_id!r} was cancelled from inside.") from None


async def due_runs(
    journal: Journal, known: Collection[str], *, failed: bool, **only: Unpack[MetadataFilter]
) -> list[RunSummary]:
    """The runs that nobody goes on with, and that may go on now, the oldest first.

    Args:
        journal: Where they are kept.
        known: The names of the agents whose runs they are; a line in the log counts the others.
        failed: Whether runs that have failed of what can pass are among them.
        only: What their metadata has to say.
    """
    left = await left_runs(journal, known, **only)
    looks: dict[str, Callable[[Journal, str], Awaitable[bool]]]
    looks = {"parked": _may_ask_again, "waiting": _has_expired}
    for status, may_go_on in (looks | {"failed": _can_pass} if failed else looks).items():
        runs = await journal.runs(status=status, **only)
        mine = [run for run in runs if not run.parent and run.agent in known]
        left += [run for run in mine if await may_go_on(journal, run.run_id)]
    return sorted(left, key=lambda run: (run.created_at, run.run_id))


async def left_runs(
    journal: Journal, known: Collection[str], **only: Unpack[MetadataFilter]
) -> list[RunSummary]:
    """The runs that have something to do by now and that no process performs, the newest first."""
    runs = await journal.runs(status="running", **only)
    now = wall_s()
    left = [run for run in runs if not run.owner_alive and not run.parent and _may_begin(run, now)]
    if others := [run for run in left if run.agent not in known]:
        names = ", ".join(sorted({repr(run.agent) for run in others}))
        log_runs.info("%d interrupted runs of other agents are left alone: %s", len(others), names)
    return [run for run in left if run.agent in known]


def _may_begin(run: RunSummary, now: float) -> bool:
    return (run.metadata.not_before or 0.0) <= now


async def _can_pass(journal: Journal, run_id: str) -> bool:
    """Whether what a run has failed of can pass. A log that cannot be read is a row of the report."""
    try:
        state = fold([each.event for each in await journal.read(run_id)])
    except AgentsException:
        return True
    return can_go_on_after(state)


async def _may_ask_again(journal: Journal, run_id: str) -> bool:
    """Whether a run that waits for its provider is due, by this machine's clock."""
    try:
        parked = fold([each.event for each in await journal.read(run_id)]).parked
    except AgentsException:
        return True
    return any(is_due(each, wall_s()) for each in parked.values())


async def _has_expired(journal: Journal, run_id: str) -> bool:
    """Whether nobody has decided in time about a call that waits."""
    try:
        end = next_expiry(fold([each.event for each in await journal.read(run_id)]))
    except AgentsException:
        return False
    return end is not None and wall_s() >= end


def _is_factory(value: object) -> bool:
    """Whether a value is to be asked for each run's own: a function, and not an object of a program."""
    return inspect.isroutine(value) or isinstance(value, functools.partial)
