"""What a run did, as records: its steps, its turns, and where another process went on.

`views/steps.py` reads them from a log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from outlast.core.events import ErrorFacts, Item, UsageFacts
from outlast.core.failing import can_go_on
from outlast.core.identity import NO_METADATA, RunMetadata
from outlast.views.status import Status
from outlast.views.words import counted

Outcome = Literal[
    "ok", "error", "tripped", "rejected", "unknown", "blocked", "ignored", "in doubt", "open",
    "waiting", "failed attempt",
]  # fmt: skip
Settled = Literal["retried", "told unknown", "asked", "open"]


@dataclass(slots=True, kw_only=True)
class Step:
    """One effect, as one process performed it, or one wait. Changes only while the log is read."""

    id: str
    kind: str
    """A kind of effect, `approval` (a wait for a person) or `wait` (for a provider)."""
    name: str = ""
    agent: str
    turn: int
    """The turn that it belongs to, from 1; 0 before the first."""
    epoch: int
    """Of the process that recorded the outcome, or left it in doubt; of a wait, that began to wait."""
    outcome: Outcome = "open"
    detail: str = ""
    """What it was about and came to, in words."""
    model: str = ""
    """The model that answered, or failed, where there are several."""
    served_by: str = ""
    """The model that answered, by the name that prices go by; empty in logs that do not say it."""
    attempt: int = 1
    key: str = ""
    same_key: bool = False
    """Whether it repeats a step in doubt under the idempotency key that this one had."""
    started_at: float | None = None
    """Seconds since 1970; None where it began and ended in one append."""
    ended_at: float | None = None
    """When its outcome was recorded, or another process found it in doubt; None while it is open."""
    usage: UsageFacts | None = None
    child: str = ""
    """The run that performed this step, for an agent used as a tool."""
    stage: str = ""
    """What a guardrail looks at, or why a person is asked."""
    to: str = ""
    """The agent that a handoff hands over to."""
    unknown: tuple[str, ...] = ()
    """Names in a model's reply that no tool has."""
    call: Item | None = None
    """The model's call that it performs."""
    output: tuple[Item, ...] = ()
    """What a model said, or the answer that a model is given."""
    error: ErrorFacts | None = None

    @property
    def duration_s(self) -> float | None:
        """How long it took; None where the log does not say, or where it never ended."""
        if self.started_at is None or self.ended_at is None or self.outcome == "in doubt":
            return None
        return max(self.ended_at - self.started_at, 0.0)

    @property
    def is_recorded(self) -> bool:
        """Whether the log has a result, so that nobody performs the step again."""
        return self.outcome not in ("open", "in doubt", "waiting", "failed attempt")

    @property
    def is_over(self) -> bool:
        """Whether nothing more can become of it."""
        return self.is_recorded or self.outcome == "failed attempt"


@dataclass(slots=True, kw_only=True)
class Takeover:
    """The place where another process went on with the run. Changes only as a `Step` does."""

    was_crash: bool
    """False when the run had only waited for a person, or had been ended and reopened."""
    reused: int
    """Steps that were recorded and are not performed again."""
    settled: dict[str, Settled]
    """What became of each of the steps that had begun and had no result, by their ids."""
    same_keys: bool = True
    """Whether every retried step was given the idempotency key that it had before."""
    at: float = 0.0
    """Seconds since 1970."""
    gap_s: float = 0.0
    owner: str = ""
    epoch: int = 0
    """Of the process that went on."""

    def __str__(self) -> str:
        """What it came to, in one line: counted from the log."""
        parts = [f"{counted(self.reused)} reused"]
        for settled, words in _SETTLED.items():
            number = sum(1 for value in self.settled.values() if value == settled)
            if number:
                parts.append(f"{number} in doubt {words}")
        text = ", ".join(parts)
        return text if self.same_keys else text.replace("the same key", "ANOTHER key")


_SETTLED: dict[Settled, str] = {
    "retried": "retried with the same key",
    "told unknown": "not run again: the model was told",
    "asked": "not run again: a person is asked",
    "open": "still open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One model call and what its reply asked for."""

    number: int
    agent: str
    started_at: float
    epoch: int
    activation: int
    """How many handoffs the run had before it."""
    instructions: str = ""
    """The content hash of its prompt; empty where it has none, or none is known."""
    tools: str = ""
    """The content hash of the tools and handoffs that it offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a run did and came to."""

    status: Status = "empty"
    agent: str = ""
    """The agent that it began with."""
    input: str = ""
    output: str = ""
    error: str = ""
    retry_at: float = 0.0
    """When it goes on that waits for a provider, in seconds since the epoch."""
    failure: ErrorFacts | None = None
    """What it failed of."""
    program: str = ""
    metadata: RunMetadata = NO_METADATA
    rows: tuple[Step | Takeover, ...] = ()
    turns: tuple[Turn, ...] = ()
    usage: UsageFacts = field(default_factory=UsageFacts)
    started_at: float = 0.0
    """When its first event was written, in seconds since the epoch."""
    duration_s: float = 0.0
    """From its first event to its last, with what it has waited in between."""
    last_epoch: int = 0
    salt: str = ""
    """What tells the run from one of the same id in another journal."""
    source: str = ""
    """The run that it is a fork of; empty if it is none."""

    @property
    def can_go_on(self) -> bool:
        """Whether it has failed of something that can pass."""
        return self.failure is not None and can_go_on(self.failure)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rows that are steps."""
        return tuple(row for row in self.rows if isinstance(row, Step))

    @property
    def work_s(self) -> float:
        """How long something was performed, however much of it at once; waiting is no work."""
        total, until = 0.0, 0.0
        spans = [
            (step.started_at, step.ended_at)
            for step in self.steps
            if step.kind not in ("approval", "wait")
            and step.duration_s is not None
            and step.started_at is not None
            and step.ended_at is not None
        ]
        for start, end in sorted(spans):
            total += max(end - max(start, until), 0.0)
            until = max(until, end)
        return total

    def is_reused(self, step: Step) -> bool:
        """Whether an earlier process performed ``step`` and the last one found it recorded."""
        return step.is_recorded and step.epoch < self.last_epoch
