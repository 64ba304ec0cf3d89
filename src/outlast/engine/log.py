"""A run's log as the process that owns the run sees it: append, fold, tell the listeners.

`add` folds events at once and keeps them in memory; `commit` makes all of them durable as one
unit. An effect begins, and a listener hears, only after the commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from outlast.core.errors import IncompatibleRun, JournalError
from outlast.core.events import Event, ModelReplied, UsageAdded
from outlast.core.evolve import evolve, fold
from outlast.core.health import HealthStore
from outlast.core.state import RunState
from outlast.engine.report import report
from outlast.journal.journal import Journal, Lease
from outlast.views.status import status, unknown_events

Listener = Callable[[Sequence[Event]], None]
_COSTS = (ModelReplied, UsageAdded)


class RunLog:
    """The open log of one run."""

    __slots__ = (
        "_broken",
        "_waiting",
        "durable",
        "events",
        "journal",
        "lease",
        "ledger",
        "listeners",
        "pace",
        "state",
    )

    def __init__(self, journal: Journal, lease: Lease, events: Sequence[Event] = ()) -> None:
        self.journal = journal
        self.lease = lease
        self.events = list(events)
        """The whole log, oldest first."""
        self.state: RunState = fold(events)
        self.durable = self.state
        """The state without what is still to be committed."""
        self.listeners: list[Listener] = []
        self.pace: Callable[[], Awaitable[None]] | None = None
        """Waits until whoever watches the run has seen what happened so far."""
        self.ledger: Callable[[ModelReplied | UsageAdded], None] | None = None
        """Hears what calls have cost, once the state has it."""
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
            if self.ledger is not None and isinstance(event, _COSTS):
                self.ledger(event)
            self._waiting.append(event)
            self.events.append(event)
        self.state = state

    async def release(self) -> None:
        """Give the run back: whoever asks for it next gets it at once."""
        await self.journal.release(self.lease, waits=status(self.durable) == "waiting")

    async def read_blob(self, name: str) -> bytes:
        """What events name by the hash of its content."""
        return self.journal.blobs.get(name)

    def health(self) -> HealthStore:
        """What the journal keeps of models."""
        return self.journal.health

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
        events, self._waiting, state = self._waiting, [], self.state
        self.lease.comes_to = status(state)
        try:
            await self.journal.append(self.lease, events)
        except JournalError as error:
            self._broken = error
            raise
        self.durable = state
        report(self.run_id, events)
        for listener in self.listeners:
            listener(events)


def require_known(log: RunLog) -> None:
    """Refuse to go on with a run whose log holds events that this version does not know.

    Such a run can be read, and once it has ended that is all that anybody wants.

    Raises:
        IncompatibleRun: It holds some, and has not ended since.
    """
    kinds = unknown_events(log.state, log.events)
    if not kinds:
        return
    names = ", ".join(map(repr, sorted(kinds)))
    error = IncompatibleRun(
        f"Run {log.run_id!r} cannot go on here: its log holds {names}, which a newer version of "
        "Outlast wrote and this one does not know. Upgrade Outlast, or let the newer version go on "
        "with it. The run was left as it was."
    )
    error.run_id, error.missing = log.run_id, min(kinds)
    raise error
