"""The other runs of a run's session, for who asks what they have written to it."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.core.errors import JournalCorrupt, RunNotFound
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.journal.journal import Journal


async def neighbours_of(journal: Journal, run_id: str) -> Sequence[RunState]:
    """What those amount to that have done something since the run began.

    One that is damaged, or that is deleted just now, is left out.
    """
    (own,) = [run for run in await journal.runs(run_id_starts=run_id) if run.run_id == run_id]
    session_id = own.metadata.session_id
    if session_id is None:
        return []
    states: list[RunState] = []
    for run in await journal.runs(session_id=session_id):
        if run.run_id == run_id or run.updated_at < own.created_at:
            continue
        try:
            stored = await journal.read(run.run_id)
        except (JournalCorrupt, RunNotFound):
            continue
        states.append(fold([each.event for each in stored]))
    return states
