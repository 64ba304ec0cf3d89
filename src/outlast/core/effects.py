"""What a run can need: wishes, in the imperative, each with an id that is a position in the run.

`decide` says which are needed now; an engine performs them. Performing one appends the event
that makes it unwanted.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from outlast.core.events import Call, EffectKind, ErrorFacts, Event, Policy

DRAIN_S = 5.0
"""How long a cancelled effect may take to clean up before the run goes on without it."""


class Wish(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The base of every effect."""

    kind: ClassVar[EffectKind]
    id: str
    name: str = ""
    policy: Policy = "retry"


class Prepare(Wish, frozen=True):
    """Ask user code what a turn needs: instructions, tools, settings."""

    kind = "prepare"
    agent: str
    activation: bool
    """Whether the agent takes over with this turn."""


class CallModel(Wish, frozen=True):
    """Ask the model for the reply of a turn."""

    kind = "model"
    agent: str


class RunTool(Wish, frozen=True):
    """Answer a call: perform it, or say why it is not performed."""

    kind = "tool"
    agent: str
    call: Call
    verdict: Literal["run", "rejected", "unknown"] = "run"


class HandOff(Wish, frozen=True):
    """Let another agent take over."""

    kind = "handoff"
    agent: str
    call: Call


class CheckGuardrail(Wish, frozen=True):
    """Ask one guardrail about the run's input or output."""

    kind = "guardrail"
    agent: str
    stage: Literal["input", "output"]
    index: int


class AskApproval(Wish, frozen=True):
    """Ask user code whether a call needs a person."""

    kind = "approval"
    agent: str
    call: Call


class Conclude(Wish, frozen=True):
    """Ask user code whether a finished turn ends the run, and with what output."""

    kind = "conclude"
    agent: str


class Recover(Wish, frozen=True):
    """Ask an error handler for an output instead of failing."""

    kind = "recover"
    agent: str
    error: ErrorFacts


class LoadSession(Wish, frozen=True):
    """Read the session's history."""

    kind = "session"


class SaveSession(Wish, frozen=True):
    """Add to the session what it does not hold yet."""

    kind = "session"
    upto: int
    """How many of the run's entries the session is to hold."""
    is_last: bool = False
    """Whether the run fails: calls that have no answer are left out, for they never get one."""


class ShortenSession(Wish, frozen=True):
    """Let the session shorten itself, if it thinks that it is time."""

    kind = "session"
    upto: int
    """How many of the run's entries the session holds."""


class Wait(Wish, frozen=True):
    """Wait until a moment, in seconds since the epoch."""

    kind = "timer"
    at: float
    longest_s: float | None = None
    """In any case not longer than this."""


class Park(Wish, frozen=True):
    """Say until when the run waits for a provider that is down, without a process."""

    kind = "timer"
    of: str
    """The effect that waits."""
    number: int
    """How often in a row it has waited so, this one included."""
    at_least_s: float = 0.0
    """How long the provider wants to be left alone."""
    is_exact: bool = False
    """Whether to wait just that long."""


class Record(Wish, frozen=True):
    """Nothing to perform: the event follows from the state alone."""

    kind = "conclude"
    event: Event


Effect = (
    Prepare | CallModel | RunTool | HandOff | CheckGuardrail | AskApproval | Conclude | Recover
    | LoadSession | SaveSession | ShortenSession | Wait | Park | Record
)  # fmt: skip
