"""Following a run on a cluster, until it has ended or waits for somebody.

Nothing tells a caller what is new in a workflow but its end: that is waited for, and the rest asked for.
Who watches asks often; who only wants the answer seldom, so that hundreds may wait for theirs.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from outlast.core.errors import JournalUnavailable
from outlast.core.events import Event
from outlast.definitions.logger import logger
from outlast.engine.log import RunLog
from outlast.journal.journal import Lease
from outlast.temporal.tokens import TokenReader
from outlast.temporal.troubles import Troubles
from outlast.views.status import ENDED

_WARN_S, _SERVER_GONE_S = 15.0, 300.0
_ASK_FIRST_S, _ASK_LATER_S = 0.05, 1.0
_SETTLED = ENDED | {"waiting", "parked", "paused"}
_OPEN = {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW}


class Silent(JournalUnavailable):
    """Nobody has answered."""

    is_worker = False
    """Whether it is a worker that does not, and not the server."""


class FollowedRun(Lease):
    """A run that somebody follows, and what they know of it."""

    __slots__ = ("is_following", "is_watched")

    def __init__(self, run_id: str, head: int) -> None:
        super().__init__(run_id, 1, head)
        self.is_following = False
        self.is_watched = False


class Cluster(Protocol):
    """What is asked about a run: see `TemporalJournal`."""

    @property
    def queue(self) -> str:
        """Whose workers perform the run."""
        ...

    async def news(self, run_id: str, known: int) -> tuple[list[Event], str]:
        """The events behind the first ``known`` ones, and what the run has come to."""
        ...

    async def handle(self, run_id: str) -> Any:
        """Temporal's handle of the workflow."""
        ...

    async def described(self, run_id: str) -> Any:
        """What Temporal says of the workflow."""
        ...


class Following:
    """One caller who follows one run."""

    def __init__(self, cluster: Cluster, log: RunLog, tokens: TokenReader) -> None:
        self._cluster, self._log, self._tokens = cluster, log, tokens
        self._troubles = Troubles(log.run_id, cluster.described)
        self._wait_s = _ASK_FIRST_S

    async def go(self) -> None:
        """Add to the log what happens, until the run has settled."""
        log, lease = self._log, self._log.lease
        assert isinstance(lease, FollowedRun)
        events, status = await self._awaited(0)
        log.restart(events)
        lease.is_following = True
        handle = await self._cluster.handle(log.run_id)
        closing = asyncio.ensure_future(handle.result())
        try:
            while status not in _SETTLED:
                await asyncio.wait([closing], timeout=self._wait_s)
                is_closed = closing.done()
                status = await self._heard()
                if is_closed and status not in _SETTLED:
                    await self._require_open()
                    closing = await self._listening_again(handle, closing)
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
        if status in ENDED:
            await self._tokens.end()

    async def _listening_again(self, handle: Any, closing: asyncio.Future[Any]) -> Any:
        """Wait for the workflow's end once more, where the server gave that up and nothing has ended."""
        if not isinstance(closing.exception(), RPCError):
            return closing
        await asyncio.sleep(self._wait_s)
        return asyncio.ensure_future(handle.result())

    async def _heard(self) -> str:
        """Take what is new; what the run has come to."""
        log = self._log
        await self._troubles.look()
        fresh, status = await self._awaited(len(log.events))
        is_new = await self._tokens.read() or bool(fresh)
        is_watching = self._tokens.is_reading and is_new
        self._wait_s = _ASK_FIRST_S if is_watching else min(self._wait_s * 1.5, _ASK_LATER_S)
        for event in fresh:  # Whoever watches hears of each by itself.
            log.add([event])
            await log.commit()
        return status

    async def _require_open(self) -> None:
        """Refuse to wait for a workflow that was ended before its run.

        Raises:
            JournalUnavailable: It was.
        """
        described = await self._cluster.described(self._log.run_id)
        if described.status in _OPEN:
            return
        run_id, word = self._log.run_id, described.status.name.lower().replace("_", " ")
        raise JournalUnavailable(
            f"The workflow of run {run_id!r} is {word}, and the run has not ended: somebody has ended it in "
            "Temporal. Runner.resume begins another one, which goes on from the log."
        )

    async def _awaited(self, known: int) -> tuple[list[Event], str]:
        """What is new, however long it takes until a worker or the server can say it.

        Raises:
            JournalUnavailable: The server has not answered for minutes.
        """
        run_id, began, has_warned = self._log.run_id, time.monotonic(), False
        while True:
            try:
                return await self._cluster.news(run_id, known)
            except Silent as silent:
                gone_s = time.monotonic() - began
                if not silent.is_worker and gone_s > _SERVER_GONE_S:
                    raise
                if not has_warned and gone_s > _WARN_S:
                    has_warned = True
                    queue = f"No worker of queue {self._cluster.queue!r}"
                    who = queue if silent.is_worker else "No server"
                    logger.warning(
                        "%s answers about run %s. It goes on when one does.", who, run_id
                    )
            await asyncio.sleep(_ASK_LATER_S)
