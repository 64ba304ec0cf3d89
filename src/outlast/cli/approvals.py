"""The calls of a run that wait for a person, and what was decided about them."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

from outlast.core.errors import RunNotFound
from outlast.core.events import ApprovalDecided, Item, RunAcquired
from outlast.core.evolve import fold
from outlast.engine.local_runs import open_log
from outlast.engine.projection import call_item
from outlast.journal.opening import open_journal


class Waiting(NamedTuple):
    """A call that waits."""

    key: str
    """The call's id; behind a run's id and a slash for a call of an agent that is a tool."""
    agent: str
    tool: str
    item: Item


async def waiting_calls(run_id: str) -> list[Waiting]:
    """What a run asks, from its log alone; in the order in which it asked."""
    state = fold([each.event for each in await open_journal().read(run_id)])
    if state.ended:
        return []
    return [
        Waiting(
            key,
            asked.agent,
            asked.name,
            asked.item if asked.child else call_item(state, asked.call_id),
        )
        for key, asked in state.requested.items()
        if key not in state.decided and (asked.child or asked.call_id in state.open_calls)
    ]


def chosen_call(waiting: Collection[Waiting], start: str) -> Waiting:
    """The one call whose id starts so.

    Raises:
        RunNotFound: None does, or several do.
    """
    found = [call for call in waiting if call.key == start]
    found = found or [call for call in waiting if call.key.startswith(start)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(call.key for call in waiting) or "none"
    what = f"{len(found)} calls start" if found else "No call starts"
    raise RunNotFound(f"{what} with {start!r}. These wait: {known}.")


async def record(run_id: str, keys: Collection[str], *, approved: bool, message: str) -> None:
    """Put a decision about some of its waiting calls into a run's log.

    Under the run's lease, so that of two people who decide at once one is told that he is late.

    Raises:
        AlreadyRunning: A living process performs the run.
        RunNotFound: A call does not wait any more; nothing was recorded about it.
    """
    journal = open_journal()
    log = await open_log(journal, run_id)
    try:
        requested, decided = log.state.requested, log.state.decided
        asked = [requested[key] for key in keys if key in requested and key not in decided]
        if log.state.ended or len(asked) < len(keys):
            raise RunNotFound(f"The call does not wait any more. See: outlast show {run_id}")
        for each in asked:
            if each.child:  # First: the outer run goes on only when both know.
                await record(each.child, [each.call_id], approved=approved, message=message)
        decisions = [
            ApprovalDecided(
                call_id=each.call_id,
                approved=approved,
                message=message or None,
                agent=each.agent,
                name=each.name,
                child=each.child,
            )
            for each in asked
        ]
        log.add([RunAcquired(owner=f"pid {os.getpid()}"), *decisions])
        await log.commit()
    finally:
        await log.release()
