"""The calls of a run that wait for a person, and what was decided about them."""

from __future__ import annotations

from collections.abc import Collection

from outlast.core.errors import CallNotFound
from outlast.core.evolve import fold
from outlast.journal.opening import open_journal
from outlast.run.decisions import approve, reject
from outlast.views.waiting import WaitingCall, waiting_calls


async def calls_of(run_id: str) -> list[WaitingCall]:
    """What a run asks, from its log alone; in the order in which it asked."""
    return waiting_calls(fold([each.event for each in await open_journal().read(run_id)]))


def chosen_call(waiting: Collection[WaitingCall], call_id: str) -> WaitingCall:
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
