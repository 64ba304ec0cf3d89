"""The seam between a run and where its log is kept.

A log is written by the holder of a `Lease` only. Each acquisition raises the run's epoch, and an
append is refused in the very transaction that finds a newer one. So of two writers one always
loses before it has done anything; who owns a run is a matter of speed, never of correctness.

`tests/journal/contract.py` is what every implementation must pass.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Generator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypedDict, Unpack

from outlast.calls.health import HealthStore
from outlast.core.budgets import Ledger
from outlast.core.commands import Command, Inbox
from outlast.core.errors import Fenced, JournalConflict, JournalError
from outlast.core.events import Event
from outlast.core.identity import NO_METADATA, RunMetadata
from outlast.core.stored import Stored
from outlast.definitions.loops import Home
from outlast.journal.rows import RunRow
from outlast.views.status import ENDED

Durability = Literal["power", "process", "memory"]
"""What a log survives: a power cut, the death of its process, or neither."""

TERMINAL: frozenset[str] = ENDED
"""The statuses of runs that have ended."""


class Lease:
    """The right to append to a run. Lost as soon as anybody else acquires the run.

    It belongs to the loop that it was acquired in: when nothing runs there any more, nobody holds it.
    """

    __slots__ = (
        "__weakref__",
        "_home",
        "comes_to",
        "epoch",
        "head",
        "heard",
        "keeper",
        "lost",
        "number",
        "row",
        "run_id",
        "status",
    )

    def __init__(self, run_id: str, epoch: int, head: int, keeper: object = None) -> None:
        self.run_id = run_id
        self.epoch = epoch
        self.head = head
        """How many events the log holds. Moves when an append is committed."""
        self.heard = 0
        """Up to which command the holder has looked into the run's inbox."""
        self.number = 0
        """The journal's own name for the run; 0 until the first append of a new one."""
        self.keeper = keeper
        """The journal that gave it away, if that wants to know."""
        self.lost = False
        self.status: str = ""
        """The run's status; empty where nothing was read or written yet."""
        self.comes_to: str = ""
        """The status that the run has with the events of the next append, if the writer says so. Events
        alone say less: not that a run waits for a person."""
        self.row: RunRow | None = None
        """What a journal in a file knows of the run."""
        self._home = Home()

    @property
    def is_held(self) -> bool:
        """Whether somebody may still append."""
        return not self._home.is_gone()


def fenced(lease: Lease) -> Fenced:
    """The error for who has lost a run."""
    error = Fenced(
        f"Run {lease.run_id!r} was taken over by somebody else (this lease is of epoch "
        f"{lease.epoch}). Nothing was written; stop working on it."
    )
    error.run_id, error.seq = lease.run_id, lease.head
    return error


class NotStorable(JournalError, TypeError):
    """An event holds what a log cannot say, or could not be read again. Nothing was written."""


class CommandWaits(JournalConflict):
    """A command came before the run could end. Nothing was written: take it, and append again."""


def command_waits(lease: Lease) -> CommandWaits:
    """The error for an append that would end a run which has not heard of all commands."""
    error = CommandWaits(
        f"A command waits for run {lease.run_id!r}, which was about to end. Nothing was written; take the "
        "command, and append again."
    )
    error.run_id, error.seq = lease.run_id, lease.head
    return error


class Done:
    """What an append returns that is committed already: awaiting it costs no turn of the loop."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


DONE = Done()


class RunSummary(NamedTuple):
    """One line about a run."""

    run_id: str
    agent: str
    """The agent that it began with."""
    status: str
    parent: str
    """The run whose tool call this run performs; empty for a run of its own."""
    created_at: float
    updated_at: float
    events: int
    owner_alive: bool
    """Whether a living process holds the run. A running run without one was interrupted."""
    metadata: RunMetadata = NO_METADATA
    """Whose it is."""


class MetadataFilter(TypedDict, total=False):
    """What a run's metadata has to say; None asks for nothing. See `RunMetadata.has`."""

    user: str | None
    tenant: str | None
    session_id: str | None
    tag: str | None


class RunFilter(MetadataFilter, total=False):
    """What a run has to be; None asks for nothing."""

    run_id_starts: str | None
    """How its id begins."""
    agent: str | None
    """The agent that it began with."""
    began_since: float | None
    """It began then or later, in seconds since 1970."""
    began_before: float | None
    """It began before."""
    roots_only: bool
    """No other run's tool call began it."""


def fits(run: RunSummary, status: str | None, which: RunFilter) -> bool:
    """Whether a run is one of those that are asked for."""
    agent, since, until = which.get("agent"), which.get("began_since"), which.get("began_before")
    whose: MetadataFilter = {
        "user": which.get("user"),
        "tenant": which.get("tenant"),
        "session_id": which.get("session_id"),
        "tag": which.get("tag"),
    }
    return (
        status in (None, run.status)
        and run.run_id.startswith(which.get("run_id_starts") or "")
        and agent in (None, run.agent)
        and not (which.get("roots_only") and run.parent)
        and (since is None or run.created_at >= since)
        and (until is None or run.created_at < until)
        and run.metadata.has(**whose)
    )


class Change(NamedTuple):
    """A run that has changed, as it is now."""

    place: int
    """Where it stands in the feed. Ask for what came after it with this."""
    run: RunSummary


def durability_of(journal: object) -> str:
    """What a journal's logs survive; empty where it does not say."""
    return str(getattr(journal, "durability", ""))


class BlobStore(Protocol):
    """Big things that events refer to, each stored once, named by its content."""

    def put(self, data: bytes, name: str | None = None) -> str:
        """The name of `data`, which callers may know already: large things take time to name.

        It is committed together with the next append, not before.
        """
        ...

    def get(self, name: str) -> bytes:
        """What is stored under a name; blocks for one read.

        Raises:
            JournalCorrupt: Nothing is, or it is not what its name says.
        """
        ...


class Journal(Protocol):
    """Where logs are kept."""

    @property
    def blobs(self) -> BlobStore:
        """The store of big things."""
        ...

    @property
    def health(self) -> HealthStore:
        """How models answer and how much they are asked; shared by all who use this journal."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What was spent under budgets; shared by all who use this journal."""
        ...

    @property
    def inbox(self) -> Inbox:
        """The commands on their way to runs."""
        ...

    async def acquire(self, run_id: str, *, new: bool = False, force: bool = False) -> Lease:
        """The right to append to a run.

        Args:
            run_id: The run.
            new: Begin a run under this unused id. Nothing is read or written before the first append.
            force: Take the run from a living owner, whose next append will be refused.

        Raises:
            AlreadyRunning: A living process holds the run, perhaps this one.
            RunNotFound: There is no such run.
        """
        ...

    def append(
        self, lease: Lease, events: Sequence[Event], *, barrier: bool = True
    ) -> Awaitable[None]:
        """Add events to the end of a log, all or none.

        An error is raised by the call or by awaiting what it returned. One run's appends are
        committed in the order of the calls.

        Args:
            lease: The writer's.
            events: What happened, oldest first. None at all changes nothing.
            barrier: Whether awaiting it means that the events are as safe as the durability says.
                Without it they may wait in memory for the next append that has it, or for 0.1 s.

        Raises:
            AlreadyRunning: The new run's id is taken. Acquire it.
            Fenced: Another process took the run over; stop working on it.
            CommandWaits: The events end the run, and a command waits that it has not heard of. Nothing
                was written: take the command, and append again.
            StorageFull: Nothing was written. Free space and append again.
            StorageBusy: Nothing was written. Append again.
        """
        ...

    async def read(self, run_id: str, *, after: int = -1) -> Sequence[Stored]:
        """The verified events of a run behind position `after`, oldest first.

        Raises:
            JournalCorrupt: A row is missing, or is not what was written.
            RunNotFound: There is no such run.
        """
        ...

    async def runs(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[RunSummary]:
        """All runs, or those with a status, or of which something else is so; the newest first.

        Args:
            status: What they have come to.
            limit: At most so many.
            before: The run after which a page ended: only older ones.
            which: What else they have to be.

        Raises:
            JournalCorrupt: The list is not whole, or a row of it is not what was written.
            RunNotFound: There is no run ``before``.
        """
        ...

    async def changes(
        self,
        since: int = 0,
        *,
        limit: int = 100,
        status: str | None = None,
        **which: Unpack[RunFilter],
    ) -> Sequence[Change]:
        """The runs that have begun, ended, been taken up or put down since a place, in that order.

        Each is there once, as it is now, and again in a later answer if it has changed again. What
        was deleted is not there. A run's other events are no changes: `watch` has them.

        Args:
            since: The place of the last change that the caller has; 0 for none.
            limit: At most so many. Fewer means that there are no more for now.
            status: What the runs have come to by now.
            which: What else they have to be.

        Raises:
            JournalCorrupt: The feed is not whole, or a row is not what was written.
        """
        ...

    def watch(self, run_id: str, *, after: int = -1) -> AsyncIterator[Stored]:
        """The events of a run behind `after`, and then each as it is committed. Does not end."""
        ...

    async def post(self, run_id: str, command: Command) -> None:
        """Give a command to a run, whoever performs it. It is on disk when this returns.

        Who performs the run takes it within 100 ms; a run that nobody performs takes it when it goes
        on. What came of it is an event of the run's log that bears the command's id. Posting the
        same command again changes nothing.

        Raises:
            RunNotFound: There is no such run.
            RunHasEnded: It is over, and the command would change nothing.
            RunConflict: The id is another command's.
        """
        ...

    async def release(self, lease: Lease, *, waits: bool = False) -> None:
        """Give up a lease. A run that has not ended is "waiting" then, or else "running".

        Does nothing if the lease is lost.
        """
        ...

    async def close(self) -> None:
        """Commit what is waiting and close. Leases are void then."""
        ...
