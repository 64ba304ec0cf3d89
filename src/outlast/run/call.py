"""One call of a runner, from its arguments to the end of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from outlast.core.errors import JournalError
from outlast.core.events import RunCancelled
from outlast.core.items import copied
from outlast.core.usage import usage_of
from outlast.definitions.agent import Agent
from outlast.effects.config import OnAbandon, brings_model_provider, coerce_run_config
from outlast.effects.place import here
from outlast.engine.drive import Engine, drive
from outlast.engine.env import RunEnv
from outlast.engine.fit import require_fit, require_state_fit
from outlast.engine.local_runs import (
    RunRequest,
    begin,
    copy_for_fork,
    end_pause,
    environment,
    record_decisions,
    released_on_error,
    reopen,
    scope_of,
    take_over,
    unpark,
)
from outlast.engine.log import follower
from outlast.engine.report import log_left_behind
from outlast.journal.journal import Journal
from outlast.run.abandon import note_departure, record_departure
from outlast.run.conflicts import claimed_log
from outlast.run.failure import failure, parked, paused
from outlast.run.request import as_items, fit, journal_of, nest, request_of, wrapped
from outlast.run.resume import continued
from outlast.run.run_state import RunState
from outlast.run.stream import RunResultStreaming
from outlast.sessions.session import session_id_of
from outlast.tracing import is_listening
from outlast.views.status import ENDED, failure_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from outlast.engine.spans import Spans

AnyAgent = Agent
_UNTRACED = nullcontext()


class Call:
    """One call of a runner, from its arguments to the end of the run."""

    def __init__(
        self,
        agent: AnyAgent,
        input: Any,
        options: dict[str, Any],
        engine: Callable[[RunEnv], Engine],
    ) -> None:
        self.engine = engine
        config = options.get("run_config")
        self.owns_provider = not brings_model_provider(config)
        # What the caller does to its list from here on, and what becomes of the run's, are two things.
        self.input: Any = copied(input) if isinstance(input, list) else input
        self.request = request_of(agent, coerce_run_config(config), options)
        self.context = wrapped(options.get("context"))
        if (elsewhere := options.get("engine")) is not None:
            self.request.config = replace(self.request.config, journal=elsewhere.journal)
        self.given_context: Any = options.get("context")
        self.is_recovery = bool(options.get("is_recovery"))
        self.on_abandon: OnAbandon = self.request.config.on_abandon or (
            "finish" if self.is_recovery else "leave"
        )
        self.env: RunEnv | None = None
        self.place = here()
        fit(self.request, self.place, self.context)
        if isinstance(input, RunState):
            self.request.limit = "keep"  # The state has it.

    async def perform(self, watcher: RunResultStreaming | None = None) -> RunEnv:
        """Drive the run until it ends or waits, and raise what it failed with."""
        try:
            env = self.env = await self._opened(journal_of(self.request.config, self.place))
        except BaseException:
            await self.close()
            raise
        async with scope_of(env) as scope:
            if self.owns_provider:
                scope.own("model provider", self.close)
            await (require_state_fit if isinstance(self.input, RunState) else require_fit)(env)
            fork = ""
            if (
                env.log.lease.epoch > 1
            ):  # Nobody has performed a run that begins in another program.
                from outlast.run.changed import heed_changes

                fork = await heed_changes(env)
            if not fork:
                await self._driven(env, watcher)
                return env
        # The fork has the turns of the old program too; that is known by now.
        self.request.config = replace(self.request.config, on_change="go_on")
        self.request.run_id, self.request.goes_on = fork, True
        return await self.perform(watcher)

    async def _driven(self, env: RunEnv, watcher: RunResultStreaming | None) -> None:
        log = env.log
        try:
            with await _spans_of(env) if is_listening() else _UNTRACED as spans:
                if watcher:
                    watcher.attach(env)
                    watcher.trace = spans.trace if spans else None
                if (elsewhere := follower(log.journal)) is None:
                    await drive(log, self.engine(env))
                else:
                    await elsewhere.follow(log, env.show)
        except asyncio.CancelledError:
            self._follow(env)
            if watcher and watcher.is_given_up:
                log.take()
                if not log.state.ended:
                    log.add([RunCancelled()])
                await asyncio.shield(log.commit())
            elif not self.request.parent:  # What a nested run comes to is its parent's concern.
                await record_departure(log, self.on_abandon)
            raise
        if (error := failure_of(log.state)) is not None:
            self._follow(env)
            raise failure(env, error, goes_on=self.request.goes_on)
        if log.state.ended or not (log.state.paused or log.state.parked):
            return
        self._follow(env)
        raise (paused if log.state.paused else parked)(log.run_id, log.state)

    def departed(self) -> None:
        """Whoever asked for the run has gone, and it goes on."""
        if self.env is not None and not self.request.parent:
            note_departure(self.env.log, "finish")

    def _follow(self, env: RunEnv) -> None:
        given: Any = self.input
        if isinstance(given, RunState):
            cast("RunState", given).follow(env)

    async def close(self) -> None:
        """Close what only this call uses."""
        if self.owns_provider:
            await self.request.config.model_provider.aclose()

    async def _opened(self, journal: Journal) -> RunEnv:
        given: Any = self.input
        if isinstance(given, RunState):
            state = cast("RunState", given)
            return await continued(journal, self.request, state, self.given_context)
        items = as_items(self.input)
        if self.place is not None:
            await nest(self.request, self.place, items)
            await copy_for_fork(journal, self.request.run_id, self.place)
        log = await claimed_log(journal, self.request, items)
        async with released_on_error(log):
            env = environment(self.request, log, self.context)
            if log.state.started:
                if self.place is None or env.context.usage is not self.place.counted:
                    env.context.usage.add(usage_of(log.state.usage))
                log.take()
                reopen(log, self.request)
                unpark(log, self.request)
                end_pause(log, self.request)
                take_over(env, self.request)
                record_decisions(env)
                if self.place is not None:
                    log.add(self.place.decisions(log.state))
                return env
            env.live.input = self.input
            await _look_for_last(journal, self.request, log.run_id)
            begin(log, self.request, items, is_text=isinstance(self.input, str))
            return env


async def _spans_of(env: RunEnv) -> AbstractContextManager[Spans]:
    from outlast.engine.past_spans import past_of
    from outlast.engine.spans import spans_of

    return spans_of(env, await past_of(env.log))


async def _look_for_last(journal: Journal, request: RunRequest, run_id: str) -> None:
    """Log it where the last run of the session waits for somebody, or nobody goes on with it.

    What that run has not saved is not in the session, so the model does not know of it. Nothing is
    stopped: a person who has asked something may well write again before somebody has approved it.
    """
    session_id = session_id_of(request.session)
    if not session_id:
        return
    try:
        found = await journal.runs(session_id=session_id, roots_only=True, limit=2)
    except JournalError:  # Whoever appends finds out, and says so.
        return
    last = next((run for run in found if run.run_id != run_id), None)
    if last is None or last.status in ENDED or last.owner_alive:
        return
    status = "interrupted" if last.status == "running" else last.status
    log_left_behind(run_id, session_id, last.run_id, status)
