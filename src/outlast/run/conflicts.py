"""Whether a call means the run whose id it names, before anything is done about it."""

from __future__ import annotations

from outlast.core.decide import decide
from outlast.core.errors import AlreadyRunning, RunConflict, RunNotFound
from outlast.core.events import Item, RunAcquired
from outlast.core.evolve import evolve, fold
from outlast.core.identity import input_difference
from outlast.core.state import RunState
from outlast.engine.local_runs import RunRequest, open_log
from outlast.engine.log import RunLog
from outlast.journal.journal import Journal
from outlast.sessions.session import session_id_of
from outlast.views.status import can_go_on_after


async def claimed_log(journal: Journal, request: RunRequest, items: list[Item]) -> RunLog:
    """The log of the run that ``request`` names, owned by this process.

    ``items`` is the input of the call; one that is empty says that the run is known by its id alone.

    Raises:
        RunConflict: The run began with another agent, input or session. It stays as it was.
        AlreadyRunning: A living process performs it.
    """
    try:
        log = await open_log(journal, request.run_id)
    except AlreadyRunning:
        await _check_running(journal, request, items)
        raise
    try:
        if log.state.started:
            _check_same(log.run_id, log.state, request, items)
            if not log.state.ended or (request.goes_on and can_go_on_after(log.state)):
                check_session(log.run_id, log.state, request.session)
    except BaseException:
        await log.release()
        raise
    return log


async def _check_running(journal: Journal, request: RunRequest, items: list[Item]) -> None:
    """Of a run that goes on elsewhere: a wrong input is the caller's mistake, whoever performs it."""
    run_id = request.run_id or ""
    try:
        stored = await journal.read(run_id)
    except RunNotFound:  # Nothing of it is written yet.
        return
    _check_same(run_id, fold([each.event for each in stored]), request, items)


def _check_same(run_id: str, state: RunState, request: RunRequest, items: list[Item]) -> None:
    started = state.started
    if started is None or request.is_derived or request.config.on_conflict == "return":
        return
    if not any(item.get("content") or "type" in item for item in items):
        return  # Nothing is said: whatever the run was asked.
    agent = request.agent.name
    differences: list[str] = []
    if started.agent != agent:
        differences.append(f"it began with agent {started.agent!r}, and this call has {agent!r}")
    difference = input_difference(started.input, items)
    if difference is not None:
        where = f" ({difference.where})" if difference.where else ""
        differences.append(f"this id was used with another input{where}")
    if differences:
        what = f"Run {run_id!r} is another one: {'; '.join(differences)}."
        error = _conflict(
            run_id,
            f"{what} Use another run_id for other work, Runner.resume to go on with this run, or "
            'RunConfig(on_conflict="return") to get what it came to. '
            f"{difference.details if difference else ''}".rstrip(),
        )
        error.what = what
        raise error


def check_session(run_id: str, state: RunState, session: object) -> None:
    """Refuse to go on with a run whose session is not the one in its log.

    Raises:
        RunConflict: It is another one, or none, and the run has something left to do.
    """
    options = state.options
    if not options.session:
        return
    own = session_id_of(session)
    is_same = session is not None and (
        not own or not options.session_id or own == options.session_id
    )
    if is_same or not (state.ended or decide(evolve(state, RunAcquired("")))):
        return
    offered = "none" if session is None else repr(own)
    raise _conflict(
        run_id,
        f"Run {run_id!r} has session {options.session_id!r} in its log, and was given {offered}. Go on "
        "with it in that session: nothing was done, and nothing was written.",
    )


def _conflict(run_id: str, message: str) -> RunConflict:
    error = RunConflict(message)
    error.run_id = run_id
    return error
