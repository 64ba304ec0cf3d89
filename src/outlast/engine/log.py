"""A run's log as the process that owns the run sees it: append, fold, tell the listeners.

`add` folds events at once and keeps them in memory; `commit` makes all of them durable as one
unit. An effect begins, and a listener hears, only after the commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from outlast.core.errors import JournalError
from outlast.core.events import Event
from outlast.core.evolve import evolve, fold
from outlast.core.state import RunState
from outlast.journal.journal import Journal, Lease

Listener = Callable[[Sequence[Event]], None]


class RunLog:
    """The open log of one run."""

    __slots__ = ("_broken", "_waiting", "events", "journal", "lease", "listeners", "pace", "state")

    def __init__(self, journal: Journal, lease: Lease, events: Sequence[Event] = ()) -> None:
        self.journal = journal
        self.lease = lease
        self.events = list(events)
        """The whole log, oldest first."""
        self.state: RunState = fold(events)
        self.listeners: list[Listener] = []
        self.pace: Callable[[], Awaitable[None]] | None = None
        """Waits until whoever watches the run has seen what happened so far."""
        self._waiting: list[Event] = []
        self._broken: JournalError | None = None

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.lease.run_id

    def add(self, events: Iterable[Event]) -> None:
        """Fold ``events``; they are durable after the next `commit`."""
        state = self.state
        for event in events:
            state = evolve(state, event)
            self._waiting.append(event)
            self.events.append(event)
        self.state = state

    async def commit(self) -> None:
        """Make everything that was added durable, all or none, and tell the listeners.

        Raises:
            Fenced: Another process owns the run now; nothing was written. Stop.
            StorageFull: Nothing was written. The run goes on from its log when there is space.
        """
        if self._broken is not None:
            # What failed to be written is in the state: writing on would leave a hole in the log.
            raise self._broken
        if not self._waiting:
            return
        events, self._waiting = self._waiting, []
        try:
            await self.journal.append(self.lease, events)
        except JournalError as error:
            self._broken = error
            raise
        for listener in self.listeners:
            listener(events)
