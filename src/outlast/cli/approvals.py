"""The calls of a run that wait for a person, and what was decided about them."""

from __future__ import annotations

from collections.abc import Collection

from outlast.core.commanding import ended_word
from outlast.core.errors import AlreadyDecided, CallNotFound
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.journal.opening import open_journal
from outlast.run.decisions import approve, reject
from outlast.views.waiting import WaitingCall, waiting_calls


async def calls_of(run_id: str) -> list[WaitingCall]:
    """What a run asks, from its log and those of the runs inside it; in the order in which it asked."""
    return waiting_calls(await _state_of(run_id))


async def _state_of(run_id: str) -> RunState:
    return fold([each.event for each in await open_journal().read(run_id)])


async def say_nothing_waits(run_id: str) -> None:
    """Refuse to decide about the calls of a run of which none waits.

    Raises:
        AlreadyDecided: Somebody was first.
        CallNotFound: No call waited.
    """
    state = await _state_of(run_id)
    what = f"Nothing waits for a person in run {run_id!r}, which is {ended_word(state)}."
    decided = {id(each): (key, each) for key, each in reversed(state.verdicts.items())}
    if not decided:
        raise CallNotFound(f"{what} Nothing was decided. See: outlast approvals")
    said = [
        f"{key!r} was {'approved' if each.approved else 'rejected'} already, by "
        f"{repr(each.by) if each.by else 'somebody who gave no name'}"
        for key, each in list(decided.values())[:_NAMED]
    ]
    raise AlreadyDecided(f"{what} {'; '.join(said)}. That holds; nothing was changed.")


_NAMED = 3
"""Of calls that were decided before, the last so many are named."""


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
