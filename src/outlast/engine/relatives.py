"""Runs that are copies of each other: what may take effect only once does so in one of them.

A call that was open when a run was copied is the same call in both, with the same idempotency key. A
run's log says what it was copied from and which runs were copied from it, so each of them finds all
others. Before a call begins that must not be repeated, its start is in the log, and then the logs of
the others are looked at. So of two that begin at once at least one sees the other: none may act, both
never do.
"""

from __future__ import annotations

from collections.abc import Sequence

from outlast.core.effects import Effect, RunTool
from outlast.core.errors import AlreadyRunning, IncompatibleRun, RunNotFound
from outlast.core.events import Event, RunCopied
from outlast.core.evolve import fold
from outlast.core.forks import has_begun
from outlast.core.state import idempotency_key
from outlast.effects.view import RunView
from outlast.engine.log import RunLog
from outlast.journal.journal import Journal


async def note_copy(log: RunLog, copy: str, events: Sequence[Event]) -> None:
    """Say in a run's log that ``copy`` begins with ``events`` of it, where that may matter to either."""
    if all(call.policy == "retry" for call in fold(events).open_calls.values()):
        return
    log.add([RunCopied(copy)])
    await log.commit()


async def note_copy_of(journal: Journal, source: str, copy: str, events: Sequence[Event]) -> None:
    """The same for a run that somebody else may hold just now; then it finds nothing in its log."""
    try:
        log = RunLog(journal, await journal.acquire(source), events)
    except (AlreadyRunning, IncompatibleRun, RunNotFound):
        return
    try:
        await note_copy(log, copy, events)
    finally:
        await log.release()


async def is_made_elsewhere(journal: Journal, view: RunView, effect: Effect) -> bool:
    """Whether a relative of the run has begun the call, which must not be made twice."""
    run_id, state = view.run_id, view.state
    if not (isinstance(effect, RunTool) and effect.verdict == "run"):
        return False
    start = state.in_flight.get(effect.id)
    if effect.policy == "retry" or (start is not None and start.attempt > 1):
        return False  # Who is asked about a call in doubt may want it again.
    key = idempotency_key(state, run_id, effect.id)
    seen, others = {run_id}, list(state.relatives)
    while others:
        other = others.pop()
        if other in seen:
            continue
        seen.add(other)
        try:
            events = [stored.event for stored in await journal.read(other)]
        except RunNotFound:  # It was deleted, or is kept elsewhere.
            continue
        theirs = fold(events)
        if has_begun(other, events, theirs, key):
            return True
        others += theirs.relatives
    return False
