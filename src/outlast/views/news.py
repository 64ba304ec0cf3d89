"""What somebody who follows a run is to hear of an event as it happens."""

from __future__ import annotations

from typing import NamedTuple

from outlast.core.events import (
    EffectStarted,
    ErrorFacts,
    Event,
    HandedOff,
    ModelReplied,
    OutputProduced,
    RunFailed,
    SessionLoaded,
    ToolReturned,
    TurnPrepared,
)
from outlast.core.state import RunState


class News(NamedTuple):
    """What an event says to somebody who follows the run."""

    turn: int | None = None
    """The turn that it begins, or that the run was not allowed to begin."""
    answer: ToolReturned | HandedOff | None = None
    """The answer of a call."""
    is_between: bool = False
    """Whether other answers may come before anything else is told."""
    reply: ModelReplied | None = None
    agent: str | None = None
    """The agent that goes on from here."""
    has_message: bool = False
    """Whether the conversation ends with a message that no model has said."""


_NOTHING = News()


def news(event: Event, state: RunState) -> News:
    """What ``event`` says, in the ``state`` that it has led to."""
    match event:
        case ToolReturned():
            return News(answer=event, is_between=True)
        case HandedOff():
            return News(answer=event, agent=event.to)
        case ModelReplied():
            return News(reply=event)
        case OutputProduced(message=dict()):
            return News(has_message=True)
        case SessionLoaded():
            return News(max(state.turn, 1))
        case TurnPrepared() | EffectStarted(kind="prepare"):
            return News(state.turn + 1)
        case RunFailed(error=ErrorFacts(kind="MaxTurnsExceeded")):
            return News(state.turn + 1)
        case _:
            return _NOTHING
