"""Events that come of commands alone; the rules of `core.events` hold here too."""

from __future__ import annotations

from outlast.core.records import ErrorFacts, Fact


class CancelRequested(Fact, frozen=True, tag="cancel.requested"):
    """The run is to stop when the turn in progress is complete."""

    by: str = ""
    why: str = ""
    turn: int | None = None
    """The last turn that whoever asks has seen: the reply of a later one is not waited for."""


class RunPaused(Fact, frozen=True, tag="run.paused"):
    """Somebody paused the run: what runs may end, nothing new begins."""

    by: str = ""
    why: str = ""


class RunUnpaused(Fact, frozen=True, tag="run.unpaused"):
    """Somebody let a run go on that was paused, or that nobody was to go on with."""

    by: str = ""
    why: str = ""


class LimitRaised(Fact, frozen=True, tag="limit.raised"):
    """The run may make more turns."""

    max_turns: int | None
    """None: as many as it wants."""
    by: str = ""
    why: str = ""


class CommandTaken(Fact, frozen=True, tag="command.taken"):
    """Somebody's command has reached the run. What it changed are the events behind it, if anything."""

    id: str
    kind: str
    """What it wanted: `cancel`, `send`, `decide`, `pause`, `go_on`, `raise_limit`,
    `top_up`."""
    by: str = ""
    error: ErrorFacts | None = None
    """Why it was refused; None where it was not, even if things were as it wanted them already."""
