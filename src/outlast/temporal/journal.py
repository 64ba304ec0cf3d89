"""The journal of runs on a cluster: Temporal's history is where their logs are.

It has the shape of every journal, so whoever reads, follows or commands a run does that in the same
way. What differs is who performs: a run whose log is kept here is followed, not driven (`follow`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Unpack
from weakref import WeakKeyDictionary

import msgspec
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from outlast.core.budgets import Ledger
from outlast.core.commanding import taken, wanted
from outlast.core.commands import Command, Reader
from outlast.core.errors import (
    AlreadyRunning,
    JournalCorrupt,
    JournalUnavailable,
    RunHasEnded,
    RunNotFound,
    UserError,
)
from outlast.core.events import Event, RunStarted
from outlast.core.evolve import fold
from outlast.core.identity import content_hash
from outlast.core.stored import Stored
from outlast.definitions.budget import budget_facts
from outlast.definitions.clock import wall_s
from outlast.effects.place import here
from outlast.engine.log import RunLog
from outlast.journal.health import MemoryHealth
from outlast.journal.journal import DONE, Change, Lease, RunFilter, RunSummary, fits
from outlast.run.commands import command_head
from outlast.temporal.asking import answered
from outlast.temporal.attributes import attributes_of, has_attributes
from outlast.temporal.following import FollowedRun, Following, Silent
from outlast.temporal.reading import read_page
from outlast.temporal.settings import TemporalSettings
from outlast.temporal.store import Store, ledger_of
from outlast.temporal.tokens import Show, TokenReader, stream_of
from outlast.temporal.troubles import Troubles
from outlast.temporal.workflow import OutlastRun, Start
from outlast.views.items import contents

_encode = msgspec.json.Encoder().encode
_NO_WORKER = {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.FAILED_PRECONDITION}
_ASKED_MOST = 16
"""Queries at a time: each is work for a worker."""
_WATCH_S = 0.2


class _Inbox:
    """Commands go to the workflow at once; there is nothing to take here."""

    def __init__(self, journal: TemporalJournal) -> None:
        self._journal = journal
        self._posting: set[asyncio.Task[None]] = set()

    def post(self, run_id: str, command: Command, *, patience_s: float = 0.5) -> None:
        del patience_s
        task = asyncio.get_running_loop().create_task(self._journal.post(run_id, command))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    def pending(self, lease: Reader) -> Sequence[Command]:
        del lease
        return ()

    def listen(self, run_id: str, ring: Callable[[], None]) -> Callable[[], None]:
        del run_id, ring
        return lambda: None


class _Blobs:
    """What one process of a caller puts aside; what workers store is in their store."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def put(self, data: bytes, name: str | None = None) -> str:
        name = name or content_hash(data)
        self._data[name] = data
        return name

    def get(self, name: str) -> bytes:
        return self._data[name]

    def has(self, name: str) -> bool:
        """Whether it was put here."""
        return name in self._data


class TemporalJournal:
    """Keeps runs on a Temporal cluster.

    Args:
        client: A client whose data converter keeps large payloads in ``store``, see `connect`; or what
            makes one, called once in each event loop.
        store: What all workers and callers share.
        queue: The task queue of the workers that have the program.
        settings: How effects become activities.
        prefix: What the ids of workflows begin with; the rest is the run's.
    """

    durability = "power"

    def __init__(
        self,
        client: Client | Callable[[], Awaitable[Client]],
        store: Store,
        queue: str,
        settings: TemporalSettings | None = None,
        *,
        prefix: str = "",
    ) -> None:
        self._prefix = prefix
        self._made, self._store, self.queue = client, store, queue
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()
        self._has_attributes: bool | None = None
        self._asking: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )
        self._settings = settings or TemporalSettings()
        self.blobs = _Blobs()
        self.health = MemoryHealth()
        self.inbox = _Inbox(self)

    # --- Following ------------------------------------------------------------------------

    async def follow(self, log: RunLog, show: Show | None = None) -> None:
        """Have ``log`` show what the cluster does, until the run has ended or waits for somebody."""
        lease = log.lease
        assert isinstance(lease, FollowedRun)
        tokens = TokenReader(self._store, stream_of(self._prefix + log.run_id), show)
        lease.is_watched = tokens.is_reading
        if lease.head:
            await tokens.skip()
        await log.commit()
        await Following(self, log, tokens).go()

    async def news(self, run_id: str, known: int) -> tuple[list[Event], str]:
        """The events of a run behind the first ``known`` ones, and what it has come to.

        Raises:
            Silent: No worker or no server answers.
            JournalUnavailable: No worker can say it.
        """
        try:
            async with self._turn():
                handle: Any = await self.handle(run_id)
                answer = await answered(lambda: handle.query("log", result_type=bytes))
        except RPCError as error:
            raise _error_of(run_id, error) from None
        except WorkflowQueryFailedError as error:
            raise JournalUnavailable(
                f"No worker can say how run {run_id!r} stands: {error.message} Look at its workflow."
            ) from None
        events, status = await read_page(self._store, answer, known)
        for name in contents(events):  # Whoever writes a state down wants them at once.
            if not self.blobs.has(name):
                with suppress(JournalCorrupt):
                    self.blobs.put(await self._store.get(name), name)
        return events, status

    @property
    def ledger(self) -> Ledger:
        """What was spent under budgets; in the store, which all workers and callers share."""
        return ledger_of(self._store)

    # --- What every journal does ----------------------------------------------------------

    async def acquire(self, run_id: str, *, new: bool = False, force: bool = False) -> Lease:
        del force
        if new:
            return FollowedRun(run_id, 0)
        await self.described(run_id)
        return FollowedRun(run_id, 1)

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        del barrier
        assert isinstance(lease, FollowedRun)
        if lease.is_following:
            return DONE
        return self._posted(lease, list(events))

    async def _posted(self, lease: FollowedRun, events: list[Event]) -> None:
        if not lease.head:
            is_new = isinstance(events[0], RunStarted)
            await self._start(lease, events, _outer_budgets(), is_new=is_new)
            lease.head = len(events)
            return
        described = await self.described(lease.run_id)
        if described.status is not WorkflowExecutionStatus.RUNNING:
            before, _ = await self.news(lease.run_id, 0)
            outer = await described.memo_value("outer", [])
            await self._start(lease, [*before, *events], outer, is_new=False)
            return
        for event in events:
            head = command_head(getattr(event, "by", ""), getattr(event, "why", ""))
            if (command := wanted(event, **head)) is not None:
                await self.post(lease.run_id, command)

    async def _start(
        self, lease: FollowedRun, events: list[Event], outer: list[Any], *, is_new: bool
    ) -> None:
        reuse, run_id = WorkflowIDReusePolicy, lease.run_id
        client, state = await self.client(), fold(events)
        is_searchable = await self._is_searchable()
        start = Start(
            run_id,
            self._settings,
            events,
            is_watched=lease.is_watched,
            outer=outer,
            is_searchable=is_searchable,
        )
        if outer or state.options.budgets:
            ledger_of(self._store)  # Who cannot count refuses before anything is done.
        try:
            await client.start_workflow(
                OutlastRun.run,
                _encode(start),
                id=self._prefix + run_id,
                task_queue=self.queue,
                id_reuse_policy=reuse.REJECT_DUPLICATE if is_new else reuse.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                memo={"agent": state.agent, **({"outer": outer} if outer else {})},
                search_attributes=attributes_of(state) if is_searchable else None,
            )
        except WorkflowAlreadyStartedError:
            raise AlreadyRunning(
                f"Run {run_id!r} exists already. Acquire it without `new`."
            ) from None
        except RPCError as error:
            raise _error_of(run_id, error) from None

    async def read(self, run_id: str, *, after: int = -1) -> Sequence[Stored]:
        await self.described(run_id)
        events, _ = await self.news(run_id, after + 1)
        now = wall_s()
        return [Stored(n, now, 1, each) for n, each in enumerate(events, after + 1)]

    async def post(self, run_id: str, command: Command) -> None:
        handle: Any = await self.handle(run_id)
        try:
            await answered(
                lambda: handle.execute_update("command", _encode(command), id=command.id)
            )
        except WorkflowUpdateFailedError:
            await self._post_late(run_id, command)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND or "completed" not in error.message:
                raise _error_of(run_id, error) from None
            await self._post_late(run_id, command)

    async def _post_late(self, run_id: str, command: Command) -> None:
        """Have a run that has ended take what it still may: more turns, more to spend.

        Its workflow is closed. Another one, which ends at once, has the log from then on.
        """
        before, _ = await self.news(run_id, 0)
        state = fold(before)
        if command.id in state.commands:
            return
        receipt, *changes = taken(state, run_id, command)
        if not changes:
            raise _ended(run_id)
        outer = await (await self.described(run_id)).memo_value("outer", [])
        try:
            await self._start(
                FollowedRun(run_id, 1), [*before, receipt, *changes], outer, is_new=False
            )
        except AlreadyRunning:  # Somebody goes on with it.
            await self.post(run_id, command)

    async def runs(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[RunSummary]:
        found: list[RunSummary] = []
        is_behind = before is None
        async for each in (await self.client()).list_workflows("WorkflowType = 'OutlastRun'"):
            if limit is not None and len(found) >= limit:
                break
            if not each.id.startswith(self._prefix):
                continue
            run_id = each.id.removeprefix(self._prefix)
            if not is_behind:
                is_behind = run_id == before
                continue
            summary = await self._summary(run_id, each)
            if fits(summary, status, which):
                found.append(summary)
        return found

    async def _summary(self, run_id: str, each: Any) -> RunSummary:
        events, status = await self.news(run_id, 0)
        started = fold(events).started
        assert started is not None
        changed: datetime = each.close_time or each.start_time
        is_open = each.status is WorkflowExecutionStatus.RUNNING
        return RunSummary(
            run_id, started.agent, status, started.parent, each.start_time.timestamp(),
            changed.timestamp(), len(events), is_open, started.metadata,
        )  # fmt: skip

    async def changes(
        self,
        since: int = 0,
        *,
        limit: int = 100,
        status: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[Change]:
        del since, limit, status, which
        raise UserError(
            "Runs on a Temporal cluster have no feed of changes. List them with runs(), or watch one."
        )

    async def watch(self, run_id: str, *, after: int = -1) -> AsyncIterator[Stored]:
        seen, troubles = after + 1, Troubles(run_id, self.described)
        while True:
            await troubles.look()
            for stored in await self.read(run_id, after=seen - 1):
                seen = stored.seq + 1
                yield stored
            await asyncio.sleep(_WATCH_S)

    async def release(self, lease: Lease, *, waits: bool = False) -> None:
        """Nobody holds a run of a cluster but its workflow."""

    async def close(self) -> None:
        """The client is whoever's made it."""

    # --- Temporal -------------------------------------------------------------------------

    async def client(self) -> Client:
        """The client for this event loop."""
        if isinstance(self._made, Client):
            return self._made
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = await self._made()
        return self._clients[loop]

    def _turn(self) -> asyncio.Semaphore:
        """What is held while a worker is asked."""
        return self._asking.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_ASKED_MOST))

    async def _is_searchable(self) -> bool:
        if self._has_attributes is None:
            self._has_attributes = await has_attributes(await self.client())
        return self._has_attributes

    async def handle(self, run_id: str) -> WorkflowHandle[Any, Any]:
        """Temporal's handle of a run's workflow."""
        client = await self.client()
        return client.get_workflow_handle(self._prefix + run_id, result_type=bytes)

    def holds_runs(self) -> bool:
        """Whether a run of this process is open here: runs of a cluster are nobody's."""
        return False

    async def described(self, run_id: str) -> Any:
        """What Temporal says of a run's workflow.

        Raises:
            RunNotFound: There is none.
        """
        try:
            return await answered((await self.handle(run_id)).describe)
        except RPCError as error:
            raise _error_of(run_id, error) from None


def _outer_budgets() -> list[Any]:
    """The budgets of the run whose effect the caller is a part of."""
    place = here()
    purse = place.purse if place else None
    return [(budget_facts(budget), root) for budget, root in purse.budgets] if purse else []


def _ended(run_id: str) -> RunHasEnded:
    error = RunHasEnded(f"Run {run_id!r} has ended: nothing was changed. Its answer can be read.")
    error.run_id = run_id
    return error


def _error_of(run_id: str, error: RPCError) -> Exception:
    if error.status == RPCStatusCode.NOT_FOUND:
        return RunNotFound(f"There is no run {run_id!r} on the cluster.")
    silent = Silent(
        f"The Temporal server did not answer about run {run_id!r}: {error.status.name}. The run itself is "
        "not affected; ask again."
    )
    silent.is_worker = error.status in _NO_WORKER
    return silent
