"""What a run has to give back when this process is through with it.

A scope owns what was made or entered for the run: computers, a provider, later connections and
sandboxes. Whatever comes first in the run leaves last. Each is closed even where another fails to,
and an error of closing never takes the place of the run's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from outlast.definitions.host import is_replaying
from outlast.definitions.logger import logger
from outlast.effects import shared_agents as sharing
from outlast.effects.registry import AnyAgent

CLOSE_S = 60.0
"""How long one thing may take to close before the run goes on without it."""

Closer = Callable[[], Awaitable[None]]


class RunScope:
    """Owns what one run uses in this process. An exit stack: enter it, and leave with everything closed."""

    __slots__ = ("_agents", "_closers", "_run_id")

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._closers: list[tuple[str, Closer]] = []
        self._agents: list[AnyAgent] = []

    def own(self, what: str, close: Closer) -> None:
        """Have ``close`` called when the run leaves.

        Args:
            what: What is closed, for the log of the program: two or three words.
            close: May raise, which is logged and stops nothing else.
        """
        self._closers.append((what, close))

    def enter(self, agent: AnyAgent) -> None:
        """Note that the run uses ``agent`` from now on: other runs do not change it meanwhile."""
        if not any(known is agent for known in self._agents):
            self._agents.append(agent)
            sharing.enter(agent)

    async def close(self) -> list[BaseException]:
        """Close everything, the latest first. Returns what failed, which stopped nothing."""
        for agent in self._agents:
            sharing.leave(agent)
        self._agents.clear()
        failures: list[BaseException] = []
        while self._closers:
            what, close = self._closers.pop()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await close()
            except BaseException as failure:  # noqa: BLE001  # the journal's, user code's, or cancelled
                failures.append(failure)
                if is_replaying():
                    continue  # A workflow that leaves this process's memory; the run goes on elsewhere.
                kind = type(failure).__name__
                logger.error("Closing the %s of run %s failed: %s", what, self._run_id, kind)
        return failures

    async def __aenter__(self) -> Self:
        """Enter; there is nothing to close yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything. An error of closing is raised only where the block itself did not fail."""
        failures = await self.close()
        if error is None and failures:
            stops = (each for each in failures if not isinstance(each, Exception))
            raise next(stops, failures[0])
