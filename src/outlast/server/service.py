"""What all surfaces ask: begin a run, read one, wait for one, tell it something.

The one place where the rules about tenants stand: what is another tenant's is not there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from fastapi import Request

from outlast.core.errors import RunNotFound
from outlast.core.evolve import evolve, fold
from outlast.core.identity import RunMetadata, check_run_id
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.definitions.agent import Agent
from outlast.definitions.clock import wall_s
from outlast.effects.config import RunConfig
from outlast.journal.journal import Journal, RunSummary
from outlast.run.enqueue import enqueue
from outlast.server.callers import Caller
from outlast.server.logs import note
from outlast.server.problems import Problem
from outlast.server.registry import Agents, slug
from outlast.server.shown import Json, run_state
from outlast.server.worker import Worker
from outlast.views.status import ENDED, status

AT_REST = ENDED | {"waiting", "parked", "paused", "abandoned"}
"""What a run has come to for which waiting longer changes nothing by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks of an agent."""

    agent: str = ""
    input: Any
    run_id: str | None = None
    key: str | None = None
    """Names the request: the same one again means the same run."""
    session_id: str | None = None
    context: Any = None
    max_turns: int | None = 10
    priority: int = 0
    not_before: float | None = None
    begins_before: float | None = None
    user: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Service:
    """The journal, the agents and the worker of an app."""

    agents: Agents
    journal: Journal
    worker: Worker
    config: RunConfig
    sessions: Callable[[str, str | None], Any]
    """Makes the session of an id, and of the tenant whose it is."""
    performs: bool = True
    """Whether this process performs runs, or leaves them to others."""
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is about to end."""
    began_at: float = field(default_factory=wall_s)

    def agent(self, name: str) -> Agent[Any]:
        """The agent of that name.

        Raises:
            Problem: There is none, or none was named and there are several.
        """
        agent = self.agents.find(name)
        if agent is None:
            known = ", ".join(sorted(self.agents.slugs()))
            said = f"There is no agent {name!r:.80}" if name else "No agent was named"
            raise Problem(404, "agent-not-found", f"{said}; there are: {known}.")
        return agent

    async def begin(self, order: Order, caller: Caller) -> tuple[str, bool]:
        """Begin a run, or find the one that this very request has begun.

        Returns:
            Its id, and whether it is new. It is on disk.
        """
        if self.leaving.is_set():
            raise Problem(503, "draining", "Ask another server.", headers={"Retry-After": "1"})
        agent = self.agent(order.agent)
        if not caller.may_run(slug(agent.name)):
            raise Problem(
                403, "scope-missing", f"This wants the scope 'agents:{slug(agent.name)}:run'."
            )
        run_id = order.run_id or _derived(order, caller)
        if run_id is not None:
            check_run_id(run_id)
            await self._require_own(run_id, caller)
        pairs = [f"{key}={value}" for key, value in order.metadata.items()]
        request = "" if order.context is None else msgspec.json.encode(order.context).decode()
        metadata = RunMetadata(
            user=order.user or caller.id,
            tenant=caller.tenant,
            session_id=order.session_id,
            tags=(*order.tags, *pairs),
            request=request,
            priority=order.priority,
            not_before=order.not_before,
            begins_before=order.begins_before,
        )
        run_id, is_new = await enqueue(
            agent,
            order.input,
            run_id=run_id,
            max_turns=order.max_turns,
            session=self.sessions(order.session_id, caller.tenant) if order.session_id else None,
            # That there is a context stands in the log, no more.
            context=self.worker.has_context or None,
            run_config=replace(self.config, journal=self.journal, metadata=metadata),
        )
        note(run_id=run_id)
        if is_new and self.performs:
            now = wall_s()
            facts = (run_id, agent.name, "running", "", now, now, 1)
            await self.worker.take(RunSummary(*facts, owner_alive=False, metadata=metadata))
        return run_id, is_new

    async def _require_own(self, run_id: str, caller: Caller) -> None:
        """Refuse an id that is the run's of another tenant, without saying so."""
        try:
            self._check(await self.journal.read(run_id), run_id, caller)
        except RunNotFound:
            return
        except Problem:
            raise Problem(
                409, "run-exists", f"The id {run_id!r} is taken. Choose another one."
            ) from None

    async def log(self, run_id: str, caller: Caller) -> Sequence[Stored]:
        """A run's log, if it is one that the caller may see.

        Raises:
            Problem: There is no such run.
        """
        try:
            log = await self.journal.read(run_id)
        except RunNotFound:
            raise not_found(run_id) from None
        self._check(log, run_id, caller)
        return log

    def _check(self, log: Sequence[Stored], run_id: str, caller: Caller) -> None:
        started = fold([log[0].event]).started if log else None
        if started is None or caller.tenant not in (None, started.metadata.tenant):
            raise not_found(run_id)

    async def state(self, run_id: str, caller: Caller) -> Json:
        """A run as it is now."""
        log = await self.log(run_id, caller)
        is_open = status(fold([each.event for each in log])) == "running"
        return run_state(run_id, log, is_held=is_open and await self.is_held(run_id))

    async def delete(self, run_id: str, caller: Caller) -> None:
        """Delete a run that has ended, and all runs inside it."""
        state = fold([each.event for each in await self.log(run_id, caller)])
        if status(state) not in ENDED:
            raise Problem(409, "run-busy", f"Run {run_id!r:.150} has not ended. Cancel it first.")
        delete: Any = getattr(self.journal, "delete", None)
        if delete is None:
            raise Problem(
                405, "method-not-allowed", "The journal of this server keeps runs for ever."
            )
        await delete(run_id)

    async def is_held(self, run_id: str) -> bool:
        """Whether a living process performs a run."""
        if self.worker.performs(run_id):
            return True
        rows = await self.journal.runs(status="running", run_id_starts=run_id)
        return any(row.owner_alive for row in rows if row.run_id == run_id)

    async def wait(self, run_id: str, seconds: float) -> None:
        """Wait until a run ends or rests, so many seconds have passed, or the server is to leave."""
        tasks = [asyncio.create_task(self._rest(run_id)), asyncio.create_task(self.leaving.wait())]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _rest(self, run_id: str) -> None:
        await self.worker.until_put_down(run_id)
        state, after = await self._fold(run_id)
        if status(state) in AT_REST:
            return
        async for stored in self.journal.watch(run_id, after=after):
            state = evolve(state, stored.event)
            # An event may be followed by another one of the same append.
            if status(state) in AT_REST and status((await self._fold(run_id))[0]) in AT_REST:
                return

    async def _fold(self, run_id: str) -> tuple[RunState, int]:
        log = await self.journal.read(run_id)
        return fold([each.event for each in log]), log[-1].seq


def not_found(run_id: str) -> Problem:
    """The problem about a run that is not there, or is somebody else's."""
    return Problem(404, "run-not-found", f"There is no run {run_id!r:.150}.", run_id=run_id[:150])


def _derived(order: Order, caller: Caller) -> str | None:
    """The id of the run that a request's key names; None if it has no key."""
    if not order.key:
        return None
    whose = f"{caller.tenant or ''}\0{caller.id}\0{order.key}"
    return f"req_{hashlib.sha256(whose.encode()).hexdigest()[:32]}"


def service_of(request: Request) -> Service:
    """The service of the app that a request is for."""
    return request.app.state.service
