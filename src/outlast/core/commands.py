"""What somebody wants of a run: commands, which any process posts to it.

A command is a small record with an id. Whoever performs the run takes each once, in the order in which
they were posted, and what came of it is an event that bears the command's id; see `core.commanding`.

Rules for changing this file are those of events: a command is added, never changed, and a new field
has a default. A version that does not know a command leaves it to one that does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from outlast.core.records import Item

COMMANDS_VERSION = 1
"""The version of the commands that this code writes."""


class _Wanted(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="type"):
    """The base of every command."""

    id: str
    """Of the command. Posting it again changes nothing."""
    by: str = ""
    """Who wants it, if they say so."""
    why: str = ""
    """For whoever reads the log; no model sees it."""
    at: float | None = None
    """When it was posted, in seconds since 1970."""


class Cancel(_Wanted, frozen=True, tag="cancel"):
    """End the run: now, or once the turn in progress is complete."""

    mode: Literal["immediate", "after_turn"] = "immediate"
    turn: int | None = None
    """The turn that whoever wants it has seen, where they follow the run: no later one is to begin."""


class Send(_Wanted, frozen=True, tag="send"):
    """Let the model hear something at its next call."""

    items: list[Item]


class Decide(_Wanted, frozen=True, tag="decide"):
    """Approve or reject a call that waits for a person."""

    call_id: str
    """The whole id of the call, or its key: the id behind the run's that it is a call of."""
    approved: bool
    always: bool = False
    """Whether it holds for all later calls of the tool in this run."""
    message: str | None = None
    """What the model is told of a rejection."""
    arguments: str | None = None
    """What the call is to be made with, as JSON; None: what the model has asked for."""
    answer: str | None = None
    """What a tool is told that has asked a question."""
    number: int = 0
    """Which question of the call it is about; 0: the one that waits."""


class Pause(_Wanted, frozen=True, tag="pause"):
    """Let what runs end, and begin nothing new."""


class GoOn(_Wanted, frozen=True, tag="go_on"):
    """Let a paused run go on."""


class RaiseLimit(_Wanted, frozen=True, tag="raise_limit"):
    """Let the run make more turns; None for as many as it wants."""

    max_turns: int | None


class TopUp(_Wanted, frozen=True, tag="top_up"):
    """Add to what the run, or all that share a budget with it, may spend."""

    per: str = "run"
    agent: str = ""
    tokens: int = 0
    requests: int = 0
    tool_calls: int = 0
    nano_usd: int = 0
    ms: int = 0


Command = Cancel | Send | Decide | Pause | GoOn | RaiseLimit | TopUp


class Reader(Protocol):
    """Who performs a run: its lease."""

    run_id: str
    number: int
    """The journal's own name for the run; 0 while nothing of it is written."""
    heard: int
    """Up to which command it has looked."""


class Inbox(Protocol):
    """Where commands to runs are kept until they are taken. May be used from any thread."""

    def post(self, run_id: str, command: Command, *, patience_s: float = 0.5) -> None:
        """Keep a command for a run. It is on disk when this returns; posting it again changes nothing.

        Blocks for the disk, and no longer than ``patience_s`` for who has it locked.

        Raises:
            RunNotFound: There is no such run.
            RunHasEnded: It is over, and the command would change nothing.
            RunConflict: The id is another command's.
            StorageBusy: Nothing was kept. Try again.
        """
        ...

    def pending(self, lease: Reader) -> Sequence[Command]:
        """The commands that came since the holder of the lease has looked last, the oldest first."""
        ...

    def listen(self, run_id: str, ring: Callable[[], None]) -> Callable[[], None]:
        """Call ``ring`` in this loop when a command comes; what this returns ends that."""
        ...
