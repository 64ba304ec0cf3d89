"""The calls of a run that wait for a person, and what was decided about them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from outlast.core.errors import CallNotFound
from outlast.core.events import Item
from outlast.core.evolve import fold
from outlast.core.items import call_id
from outlast.engine.projection import call_item
from outlast.journal.opening import open_journal
from outlast.run.decisions import approve, reject, waiting_keys


class Waiting(NamedTuple):
    """A call that waits."""

    key: str
    """The call's id; behind a run's id and a slash for a call of an agent that is a tool."""
    agent: str
    tool: str
    item: Item

    @property
    def own_id(self) -> str:
        """The id that the model gave the call."""
        return call_id(self.item)


async def waiting_calls(run_id: str) -> list[Waiting]:
    """What a run asks, from its log alone; in the order in which it asked."""
    state = fold([each.event for each in await open_journal().read(run_id)])
    requests = [(key, state.requested[key]) for key in waiting_keys(state)]
    return [
        Waiting(
            key,
            asked.agent,
            asked.name,
            asked.item if asked.child else call_item(state, asked.call_id),
        )
        for key, asked in requests
    ]


def chosen_call(waiting: Collection[Waiting], call_id: str) -> Waiting:
    """The one call of that id. The start of an id is not enough to decide about a call.

    Raises:
        CallNotFound: No call has it.
    """
    found = [call for call in waiting if call_id in (call.key, call.own_id)]
    exact = [call for call in found if call.key == call_id] or found
    if len(exact) == 1:
        return exact[0]
    known = ", ".join(call.key for call in waiting) or "none"
    raise CallNotFound(
        f"A decision needs the whole id of a call, and {call_id!r} is none. These wait: {known}."
    )


async def record(
    run_id: str, keys: Collection[str], *, approved: bool, message: str, by: str = "", why: str = ""
) -> None:
    """Put a decision about some of its waiting calls into a run's log.

    Raises:
        AlreadyDecided: Somebody else was first.
        AlreadyRunning: A living process performs the run.
        CallNotFound: A call does not wait any more.
    """
    for key in keys:
        if approved:
            await approve(run_id, key, by=by, why=why)
        else:
            await reject(run_id, key, by=by, why=why, message=message or None)
