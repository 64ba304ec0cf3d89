"""What happens to runs, as lines for whoever operates the program: a view of the events of their logs.

Every line is of the logger `outlast.runs`, begins with the run and carries its id as ``run_id``. None
holds what users, models or tools say, unless the environment lets logs show what tools say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    EffectFailed,
    Event,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunParked,
    RunReopened,
    RunStarted,
    RunUnparked,
    ToolReturned,
)
from outlast.core.failing import can_go_on
from outlast.core.records import ErrorFacts
from outlast.definitions import debug
from outlast.definitions.clock import utc
from outlast.tracing import watching
from outlast.views.words import command_line

log_runs = logging.getLogger("outlast.runs")


class Line(NamedTuple):
    """A line about a run, without its id."""

    level: int
    text: str


def report(run_id: str, events: Sequence[Event]) -> None:
    """Tell observers of events that are in a run's log by now, and log what there is to say of them."""
    watching.tell_events(run_id, events)
    if not log_runs.isEnabledFor(logging.WARNING):
        return
    for event in events:
        view = _LINES.get(type(event))
        line = view and view(event)
        if line:
            _log(run_id, line, str(event.__struct_config__.tag))


def log_recovery(run_id: str, error: Exception | None = None) -> None:
    """Log that a run goes on because it was found interrupted, or did not for an ``error``."""
    if error is None:
        _log(run_id, Line(logging.INFO, "was found interrupted, and goes on"), "recovery")
    else:
        kind = type(error).__name__
        _log(run_id, Line(logging.WARNING, f"did not go on: {kind}"), "recovery")


def log_left_behind(run_id: str, session_id: str, last: str, status: str) -> None:
    """Log that a run begins in a session whose ``last`` run has not ended."""
    other = _plain(last)
    text = (
        f"begins in session {_plain(session_id)} although its last run, {other}, is {status} and has yet to "
        f"save what it says; {_plain(command_line('resume', last))} goes on with it, "
        f"{_plain(command_line('cancel', last))} ends it"
    )
    _log(run_id, Line(logging.WARNING, text), "session")


def _log(run_id: str, line: Line, event: str) -> None:
    extra = {"run_id": run_id, "event": event}
    log_runs.log(line.level, "run %s %s", _plain(run_id), line.text, extra=extra)


def _started(event: RunStarted) -> Line:
    inside = f", inside run {_plain(event.parent)}" if event.parent else ""
    return Line(logging.INFO, f"started with agent {_plain(event.agent)}{inside}")


def _acquired(event: RunAcquired) -> Line:
    return Line(logging.INFO, f"was taken up again by {_plain(event.owner)}")


def _reopened(event: RunReopened) -> Line:
    del event
    return Line(logging.INFO, "had ended, and goes on")


def _completed(event: RunCompleted) -> Line:
    del event
    return Line(logging.INFO, "completed")


def _failed(event: RunFailed) -> Line:
    if not can_go_on(event.error):
        return Line(logging.INFO, f"was refused: {_plain(event.error.kind)}")
    # Whoever asked for the run gets the error itself: a warning beside it would say it twice.
    return Line(logging.INFO, f"failed: {_said(event.error)}")


def _cancelled(event: RunCancelled) -> Line:
    by = f" by {_plain(event.by)}" if event.by else ""
    return Line(logging.INFO, f"was cancelled{by}")


def _abandoned(event: RunAbandoned) -> Line:
    finishes = event.policy == "finish"
    what = "it finishes without them" if finishes else "nobody goes on with it until asked to"
    return Line(logging.INFO, f"was left by its caller; {what}")


def _parked(event: RunParked) -> Line:
    return Line(
        logging.WARNING, f"waits for its provider until {utc(event.until):%Y-%m-%d %H:%M:%SZ}"
    )


def _unparked(event: RunUnparked) -> Line:
    del event
    return Line(logging.INFO, "waits for its provider no more")


def _effect_failed(event: EffectFailed) -> Line | None:
    if event.retry_at is None or event.is_outage:
        return None  # What follows says more: the run failed, or waits for its provider.
    model = f" of model {_plain(event.model)}" if event.model else ""
    after = f" in {event.wait_s:.1f} s" if event.wait_s is not None else ""
    said = f"failed at {_plain(event.id)}{model}, tries again{after}: {_said(event.error)}"
    return Line(logging.WARNING, said)


def _tool_returned(event: ToolReturned) -> Line | None:
    name = _plain(event.name or event.id)
    if event.error is not None:
        return Line(
            logging.WARNING, f"told its model that tool {name} failed: {_said(event.error)}"
        )
    if event.outcome == "unknown":
        return Line(logging.WARNING, f"does not know what became of a call of tool {name}")
    return None


def _requested(event: ApprovalRequested) -> Line:
    tool, call = _plain(event.name), _plain(event.call_id)
    return Line(logging.INFO, f"waits for a person, about call {call} of tool {tool}")


def _decided(event: ApprovalDecided) -> Line:
    word = "approved" if event.approved else "rejected"
    by = f" by {_plain(event.by)}" if event.by else ""
    return Line(logging.INFO, f"had call {_plain(event.call_id)} {word}{by}")


def _said(error: ErrorFacts) -> str:
    """An error's class and, where logs may show what tools say, its text."""
    kind = _plain(error.kind)
    return kind if debug.DONT_LOG_TOOL_DATA else f"{kind}: {_plain(error.message)}"


def _plain(text: str) -> str:
    """``text`` on one line, without what would drive a terminal."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


_View: TypeAlias = Callable[[Any], Line | None]
_LINES: dict[type[Event], _View] = {
    RunStarted: _started,
    RunAcquired: _acquired,
    RunReopened: _reopened,
    RunCompleted: _completed,
    RunFailed: _failed,
    RunCancelled: _cancelled,
    RunAbandoned: _abandoned,
    RunParked: _parked,
    RunUnparked: _unparked,
    EffectFailed: _effect_failed,
    ToolReturned: _tool_returned,
    ApprovalRequested: _requested,
    ApprovalDecided: _decided,
}
