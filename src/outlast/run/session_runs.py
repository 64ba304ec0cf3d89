"""A conversation that goes on although its last run has not ended: whoever runs the program is told.

What that run has not saved is not in the session, so the model does not know of it. Nothing is stopped:
a person who has asked something may well write again before somebody has approved it.
"""

from __future__ import annotations

from outlast.core.errors import JournalError
from outlast.engine.local_runs import RunRequest
from outlast.engine.report import log_left_behind
from outlast.journal.journal import Journal
from outlast.sessions.session import session_id_of
from outlast.views.status import ENDED


async def look_for_last(journal: Journal, request: RunRequest, run_id: str) -> None:
    """Log it where the last run of the session waits for somebody, or nobody goes on with it."""
    session_id = session_id_of(request.session)
    if not session_id:
        return
    try:
        found = await journal.runs(session_id=session_id, roots_only=True, limit=2)
    except JournalError:  # Whoever appends finds out, and says so.
        return
    last = next((run for run in found if run.run_id != run_id), None)
    if last is None or last.status in ENDED or last.owner_alive:
        return
    status = "interrupted" if last.status == "running" else last.status
    log_left_behind(run_id, session_id, last.run_id, status)
