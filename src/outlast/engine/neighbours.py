"""The other runs of a run's session, for who asks what they have written to it."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.core.errors import IncompatibleRun, JournalCorrupt, RunNotFound
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.journal.journal import Journal

_MOST = 200
"""Runs that are read, the newest: a log takes about 1 ms, and a run in doubt is rarely much older."""


async def neighbours_of(journal: Journal, run_id: str, state: RunState) -> Sequence[RunState]:
    """What those amount to; none where the session has no id.

    One that is damaged, of a newer version, or deleted just now is left out. Times say nothing of which
    were there first: clocks jump.
    """
    session_id, label = (
        state.options.session_id,
        state.started and state.started.metadata.session_id,
    )
    if not session_id:
        return []
    labels = {session_id: None, label or session_id: None}  # A program may call it something else.
    runs = [run for name in labels for run in await journal.runs(session_id=name, limit=_MOST)]
    states: list[RunState] = []
    for other in dict.fromkeys(run.run_id for run in runs if run.run_id != run_id):
        try:
            states.append(fold([stored.event for stored in await journal.read(other)]))
        except (IncompatibleRun, JournalCorrupt, RunNotFound):
            continue
    return [each for each in states if each.options.session_id == session_id]
