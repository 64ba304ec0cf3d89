"""A run's log as the process that owns the run sees it: append, fold, tell the listeners.

`add` folds events at once and keeps them in memory; `commit` makes all of them durable as one
unit. An effect begins, and a listener hears, only after the commit. `take` adds what comes of the
commands that somebody has posted to the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, cast

from outlast.calls.health import HealthStore
from outlast.core.budgets import Ledger as SpentLedger
from outlast.core.commanding import taken
from outlast.core.commands import Command
from outlast.core.errors import IncompatibleRun, JournalError, RunHasEnded, RunNotFound, StorageBusy
from outlast.core.events import (
    Event,
    ModelReplied,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunFailed,
    UsageAdded,
)  # fmt: skip
from outlast.core.evolve import evolve, fold
from outlast.core.state import RunState
from outlast.definitions.stream_events import StreamEvent
from outlast.engine.report import report
from outlast.journal.journal import CommandWaits, Journal, Lease
from outlast.views.status import status, unknown_events

Listener = Callable[[Sequence[Event]], Awaitable[None] | None]
"""Is told of events that are durable. What it returns is awaited before anything else begins."""

_LOOK_AGAIN_S = 0.05
_COSTS = (ModelReplied, UsageAdded)


class RunLog:
    """The open log of one run."""

    __slots__ = (
        "_broken",
        "_commands",
        "_ending",
        "_waiting",
        "durable",
        "events",
        "has_commands",
        "is_put_down",
        "journal",
        "lease",
        "ledger",
        "listeners",
        "state",
        "stop",
        "wake",
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
        self.ledger: Callable[[ModelReplied | UsageAdded], None] | None = None
        """Hears what calls have cost, once the state has it."""
        self.has_commands = self.state.started is not None
        """Whether somebody may have posted a command that was not taken yet."""
        self.is_put_down = False
        """Whether nothing more is to begin here."""
        self.wake: Callable[[], None] | None = None
        """Wakes whoever performs the run."""
        self.stop: Callable[[], None] | None = None
        """Cancels what is performed for the run, before anything of it that has not begun begins."""
        self._commands: list[Command] = []
        """Those of this process that are nowhere else: the log has no event on disk yet."""
        self._waiting: list[Event] = []
        self._ending: asyncio.Future[None] | None = None
        """Done when it is known whether the run has ended."""
        self._broken: JournalError | None = None

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.lease.run_id

    @property
    def epoch(self) -> int:
        """Which acquisition of the run this is."""
        return self.lease.epoch

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

    def restart(self, events: Iterable[Event]) -> None:
        """Have the log be these events, which are durable: somebody else performs the run, and wrote them."""
        self.events = list(events)
        self.state = self.durable = fold(self.events)
        self._waiting = []

    def listen(self, wake: Callable[[], None], stop: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` when a command comes, ``stop`` to end it all. What this returns ends that."""
        self.wake, self.stop = wake, stop
        ignore = self.journal.inbox.listen(self.run_id, self.ring)

        def leave() -> None:
            self.wake = self.stop = None
            ignore()

        return leave

    def ring(self) -> None:
        """Have the commands looked at that have come."""
        self.has_commands = True
        if self.wake is not None:
            self.wake()

    def post(self, command: Command) -> None:
        """Give a command to this very run. It is on disk when this returns, if the run itself is."""
        try:
            self.journal.inbox.post(self.run_id, command)
        except RunHasEnded:
            return
        except RunNotFound:  # Nothing of the run is written yet: it is written with the beginning.
            self._commands.append(command)
        except JournalError:
            self._commands.append(command)
            raise
        finally:
            self.ring()

    def take(self) -> None:
        """Add what comes of the commands that have come, each once."""
        self.has_commands = False
        commands, self._commands = self._commands, []
        try:
            commands += self.journal.inbox.pending(self.lease)
        except StorageBusy:  # The run goes on meanwhile; it cannot end without having looked.
            asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self.ring)
        for command in commands:
            if command.id not in self.state.commands:
                self.add(taken(self.state, self.run_id, command))

    async def release(self) -> None:
        """Give the run back: whoever asks for it next gets it at once."""
        await self.journal.release(self.lease, waits=status(self.durable) == "waiting")

    async def read_blob(self, name: str) -> bytes:
        """What events name by the hash of its content."""
        return self.journal.blobs.get(name)

    def spent_ledger(self) -> SpentLedger:
        """Where the journal keeps what was spent under budgets."""
        return self.journal.ledger

    def health(self) -> HealthStore:
        """What the journal keeps of models."""
        return self.journal.health

    async def commit(self) -> None:
        """Make everything that was added durable, all or none, and tell the listeners.

        Where that would end the run and a command has come, nothing is written: the end that followed
        by itself is taken back, and `has_commands` says that there is something to `take` first.

        Raises:
            Fenced: Another process owns the run now; nothing was written. Stop.
            StorageFull: Nothing was written. The run goes on from its log when there is space.
        """
        while self._ending is not None:  # It may be taken back, and this comes behind it.
            await asyncio.wait([self._ending])
        if self._broken is not None:
            # What failed to be written is in the state: writing on would leave a hole in the log.
            raise self._broken
        if not self._waiting or self._only_looked():
            return
        ending = None
        if self.state.ended and not self.durable.ended:
            ending = self._ending = asyncio.get_running_loop().create_future()
        events, self._waiting, state = self._waiting, [], self.state
        self.lease.comes_to = status(state)
        try:
            await self.journal.append(self.lease, events)
        except CommandWaits:
            self._reconsider(events)
            return
        except JournalError as error:
            self._broken = error
            raise
        finally:
            if ending is not None:
                ending.set_result(None)
                self._ending = None
        self.durable = state
        report(self.run_id, events)
        for listener in self.listeners:
            if (heard := listener(events)) is not None:
                await heard

    def _only_looked(self) -> bool:
        """Whether all that happened is that somebody took the run up, and found nothing to do.

        That stands in the log with what follows it; of a run that waits nobody need read how often it
        was asked for.
        """
        before, said = self.durable, self._waiting
        is_touched = before.in_flight or before.abandoned or before.held_back
        return not is_touched and all(map(_only_takes_up, said))

    def _reconsider(self, events: list[Event]) -> None:
        """Go back to before the run's end, unless somebody has asked for that."""
        added = [*events, *self._waiting]
        del self.events[len(self.events) - len(added) :]
        added = [event for event in added if not _follows_by_itself(event)]
        self.state, self._waiting = fold(added, self.durable), added
        self.events += added
        self.has_commands = True


def _only_takes_up(event: Event) -> bool:
    is_one = isinstance(event, RunAcquired)
    return is_one and not (event.options or event.ending or event.has_limit)


def _follows_by_itself(event: Event) -> bool:
    if isinstance(event, RunCancelled):
        return event.mode == "after_turn"
    return isinstance(event, RunCompleted | RunFailed)


class Follower(Protocol):
    """A journal of runs that are performed elsewhere: a caller follows them."""

    async def follow(self, log: RunLog, show: Callable[[StreamEvent], None] | None = None) -> None:
        """Add to ``log`` what happens, until the run has ended or waits for somebody.

        What models say meanwhile goes to ``show``.
        """
        ...


def follower(journal: object) -> Follower | None:
    """The journal as one to follow; None where its runs are performed here."""
    return cast("Follower", journal) if hasattr(journal, "follow") else None


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
