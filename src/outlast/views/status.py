"""What a run has come to, in one word. This is the only place that says so.

How a run has ended is the core's word, for commands depend on it.

`status(state)` reads it off the fold. Where there is no fold, as in a journal's list of runs,
`status_after` says what single events change, and `seen` adds what only the reader knows: whether a
process is at work on the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from outlast.core.commanding import ended_word
from outlast.core.events import (
    ApprovalDecided,
    ErrorFacts,
    Event,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunParked,
    RunPaused,
    RunReopened,
    RunStarted,
    RunUnparked,
    RunUnpaused,
    UnknownEvent,
)
from outlast.core.failing import can_go_on
from outlast.core.state import RunState
from outlast.views.waiting import waits_for_person, waits_for_provider

Status = Literal[
    "empty", "running", "interrupted", "waiting", "parked", "paused", "abandoned", "completed",
    "failed", "cancelled",
]  # fmt: skip
"""
- `empty`: nothing has happened yet.
- `running`: there is something to do; `interrupted`, if no process is at work on it: one has died, or
  somebody has decided about a call and nobody has gone on since.
- `waiting`: it goes on when a person has decided about a call.
- `parked`: it goes on when a provider answers again.
- `paused`: somebody has paused it, and it goes on when somebody resumes it.
- `abandoned`: whoever asked for it has gone, and wants nobody to go on with it.
- `completed`, `failed`, `cancelled`: it has ended.
"""

STATUSES: tuple[Status, ...] = get_args(Status)[1:]
"""The words for runs that exist."""

ENDED: frozenset[str] = frozenset({"completed", "failed", "cancelled"})
"""The words for runs that have ended."""


def status(state: RunState) -> Status:
    """What a run has come to, as far as its log says: whether a process is at work, it cannot say."""
    return ended_word(state) or _open_status(state)


def failure_of(state: RunState) -> ErrorFacts | None:
    """What a run has failed of; None if it has not failed, or goes on since."""
    return state.ended.error if isinstance(state.ended, RunFailed) else None


def can_go_on_after(state: RunState) -> bool:
    """Whether a run has failed of something that can pass."""
    failure = failure_of(state)
    return failure is not None and can_go_on(failure)


def unknown_events(state: RunState, events: Sequence[Event]) -> set[str]:
    """The kinds of events that this version does not know, and that matter: none before a run's end."""
    kinds: set[str] = set()
    for event in reversed(events):
        if state.ended and isinstance(event, RunCompleted | RunFailed | RunCancelled):
            break
        if isinstance(event, UnknownEvent):
            kinds.add(event.kind)
    return kinds


def _open_status(state: RunState) -> Status:
    if not state.started:
        return "empty"
    if state.paused:
        return "paused"
    if state.abandoned == "leave":
        return "abandoned"
    if waits_for_provider(state):
        return "parked"
    return "waiting" if waits_for_person(state) else "running"


def is_decided_last(events: Sequence[Event]) -> bool:
    """Whether the last thing that happened in a run is that a person decided about a call."""
    done = [event for event in events if not isinstance(event, RunAcquired)]
    return bool(done) and isinstance(done[-1], ApprovalDecided)


def seen(word: str, *, is_held: bool) -> str:
    """The word for a run that a process is, or is not, at work on."""
    return "interrupted" if word == "running" and not is_held else word


def status_after(event: Event) -> Status | None:
    """What a run comes to by ``event``, whatever was before; None if that changes nothing."""
    word = _WORDS.get(type(event))
    return word(event) if callable(word) else word


def _departure(event: RunAbandoned) -> Status | None:
    """Who goes on with a run although nobody asks is not seen beside those nobody goes on with."""
    return "abandoned" if event.policy == "leave" else None


_WORDS: dict[type, Status | Callable[[Any], Status | None]] = {
    RunStarted: "running",
    RunAcquired: "running",
    RunReopened: "running",
    RunUnparked: "running",
    RunParked: "parked",
    RunPaused: "paused",
    RunUnpaused: "running",
    RunAbandoned: _departure,
    RunCompleted: "completed",
    RunFailed: "failed",
    RunCancelled: "cancelled",
}
