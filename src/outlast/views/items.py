"""The conversation of a run, as its caller sees it, and the answers of models that it is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from outlast.core.events import (
    ErrorFacts,
    Event,
    InputAdded,
    ModelReplied,
    ToolReturned,
    TurnPrepared,
)
from outlast.core.records import Entry
from outlast.core.state import RunState, answered
from outlast.views.status import failure_of


def conversation(state: RunState) -> list[Entry]:
    """What the run has added, but for an output that no caller got."""
    entries = [*state.entries, *answered(state)]
    if state.output and failure_of(state):
        entries = [entry for entry in entries if entry.source != state.output.id]
    return entries


def replies(state: RunState) -> list[ModelReplied]:
    """All answers of models, oldest first; not one whose calls the run's end cut off."""
    before = state.before_failure if state.ended else None
    cut_off = before.reply if before is not None and before.open_calls else None
    return [reply for reply in state.replies if reply is not cut_off]


def tool_error(events: Iterable[Event], call_id: str | None) -> ErrorFacts | None:
    """What the tool raised that answered a call last; None if it did not fail.

    Args:
        events: The log, newest first.
        call_id: The call.
    """
    answers = (event for event in events if isinstance(event, ToolReturned))
    return next((event.error for event in answers if event.call_id == call_id), None)


def contents(events: Iterable[Event]) -> set[str]:
    """The content hashes that a log refers to: instructions and the documents of tools."""
    return {name for turn in _turns(events) for name in (turn.instructions, turn.tools) if name}


def staged_inputs(events: Iterable[Event]) -> int:
    """How often somebody has added input to the run."""
    return sum(isinstance(event, InputAdded) for event in events)


def _turns(events: Iterable[Event]) -> Iterator[TurnPrepared]:
    return (event for event in events if isinstance(event, TurnPrepared))
