"""What a fork of a run keeps of what the run has on record since: nothing may take effect twice."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.core.events import EffectStarted, Event, ToolReturned
from outlast.core.evolve import fold
from outlast.core.ids import effect_id


def begun(events: Sequence[Event], since: Sequence[Event]) -> list[Event]:
    """The starts in ``since`` of calls that are open after ``events``: a fork of them is in doubt too.

    So a call that may take effect only once takes none again because a fork makes it. A call whose
    policy is to run again does so in each fork, under the same key, as in openai-agents.
    """
    state = fold(events)
    keys = {effect_id("tool", state.turn, call_id) for call_id in state.open_calls}
    starts: dict[str, Event] = {}
    for event in since:
        match event:
            case EffectStarted() if event.id in keys and event.policy != "retry":
                starts[event.id] = event
            case ToolReturned(outcome="rejected"):
                starts.pop(event.id, None)  # The tool has not been called.
            case _:
                pass
    return list(starts.values())
