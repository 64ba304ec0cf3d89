"""What people decide about runs that no process performs: about calls that wait, and about the end.

A decision is one event in one log: the run's own or, for a call of an agent used as a tool, that of the
run that called it, which the agent's run learns it from. It is written under the run's lease, so of
two people who decide at once one is late, and is told what the other one said.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outlast.core.errors import AlreadyDecided, AlreadyRunning, CallNotFound, RunNotFound, UserError
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    Event,
    RunCancelled,
    RunCompleted,
)
from outlast.core.evolve import fold
from outlast.core.identity import root_of
from outlast.core.state import RunState, approval_key, tool_name
from outlast.engine.config import RunConfig, coerce_run_config
from outlast.engine.log import RunLog
from outlast.journal.journal import Journal
from outlast.run.request import journal_of
from outlast.views.waiting import own_call_id, waiting_calls

_PATIENCE_S = 5.0
"""How long to wait for whoever holds the run: somebody who decides too is gone in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    approved: bool
    always: bool
    by: str
    why: str
    message: str | None = None


async def approve(  # each says something about one decision
    run_id: str,
    call_id: str,
    *,
    by: str | None = None,
    why: str | None = None,
    always: bool = False,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> None:
    """Let a call that waits for a person go on. The run goes on when somebody resumes it.

    Durable when it returns. Deciding the same again, by the same person, changes nothing.

    Args:
        run_id: The whole id of the run.
        call_id: The whole id of the call, as `result.interruptions` or `outlast approve RUN` say it.
        by: Who decides.
        why: A reason, for whoever reads the log.
        always: Let all later calls of the tool in this run go on too.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        AlreadyDecided: Somebody else was first; the error says who, and what.
        CallNotFound: No such call waits.
        RunNotFound: There is no such run.
        AlreadyRunning: A living process performs the run right now. Try again when it waits.
    """
    decision = _Decision(approved=True, always=always, by=by or "", why=why or "")
    await _decide(run_id, call_id, decision, run_config)


async def reject(  # noqa: PLR0913  # each says something about one decision
    run_id: str,
    call_id: str,
    *,
    by: str | None = None,
    why: str | None = None,
    message: str | None = None,
    always: bool = False,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> None:
    """Refuse a call that waits for a person. The run goes on when somebody resumes it.

    Takes and raises what `approve` does.

    Args:
        run_id: The whole id of the run.
        call_id: The whole id of the call.
        by: Who decides.
        why: A reason, for whoever reads the log; the model does not see it.
        message: What the model is told; None is a default text.
        always: Refuse all later calls of the tool in this run too.
        run_config: Where the run is kept, if not in the default journal.
    """
    decision = _Decision(approved=False, always=always, by=by or "", why=why or "", message=message)
    await _decide(run_id, call_id, decision, run_config)


async def cancel(
    run_id: str,
    *,
    by: str | None = None,
    why: str | None = None,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> None:
    """End a run that no living process performs: one that waits, was interrupted, abandoned or failed.

    Args:
        run_id: The whole id of the run. Runs inside it end with it.
        by: Who stops it.
        why: A reason, for whoever reads the log.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        UserError: The run is complete already, or it is a part of another one.
        AlreadyRunning: A living process performs it. Stop it there.
        RunNotFound: There is no such run.
    """
    journal = journal_of(coerce_run_config(run_config))
    parent = fold(await _events(journal, run_id)).started
    if parent is not None and parent.parent:
        raise UserError(
            f"Run {run_id!r} is a part of run {parent.parent!r}. Cancel {root_of(parent.parent)!r}."
        )
    log = await _claimed(journal, run_id)
    try:
        if isinstance(log.state.ended, RunCompleted):
            raise UserError(f"Run {run_id!r} is completed: there is nothing to cancel.")
        if not isinstance(log.state.ended, RunCancelled):
            log.add([RunCancelled(by=by or "", why=why or "")])
            await log.commit()
    finally:
        await log.release()


# --- Deciding about a call. --------------------------------------------------------------


async def _decide(run_id: str, call_id: str, decision: _Decision, config: Any) -> None:
    journal = journal_of(coerce_run_config(config))
    run_id, call_id = await _where_it_is_asked(journal, run_id, call_id)
    if _is_settled(run_id, await _events(journal, run_id), call_id, decision):
        return
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            log = await _claimed(journal, run_id)
            break
        except AlreadyRunning:
            if _is_settled(run_id, await _events(journal, run_id), call_id, decision):
                return
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(random.uniform(0.005, 0.05))  # noqa: S311  # not for secrets
    try:
        if _is_settled(run_id, log.events, call_id, decision):
            return
        request = log.state.requested[_key(run_id, log.state, call_id)]
        log.add([_event(log.state, request, decision)])
        await log.commit()
    finally:
        await log.release()


async def _where_it_is_asked(journal: Journal, run_id: str, call_id: str) -> tuple[str, str]:
    """The run whose log decides about a call: the outermost one that was told of it."""
    for name, value in (("run_id", run_id), ("call_id", call_id)):
        if not isinstance(value, str) or not value:  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise UserError(f"{name} must be a text, and a whole id; got {value!r:.40}.")
    started = fold(await _events(journal, run_id)).started
    while started is not None and started.parent:
        try:
            above = await _events(journal, started.parent)
        except RunNotFound:
            break
        if not any(isinstance(e, ApprovalRequested) and e.child == run_id for e in above):
            break
        run_id, call_id = started.parent, f"{run_id}/{call_id}"
        started = fold(above).started
    return run_id, call_id


def _key(run_id: str, state: RunState, call_id: str) -> str:
    calls = waiting_calls(state)
    waiting = [call.key for call in calls]
    if call_id in waiting:
        return call_id
    named = [call.key for call in calls if call.own_id == call_id]
    if len(named) == 1:
        return named[0]
    what = f"{len(named)} calls have the id" if named else "no call waits that has the whole id"
    error = CallNotFound(
        f"In run {run_id!r}, {what} {call_id!r}. These wait: {', '.join(waiting) or 'none'}. "
        "Nothing was decided."
    )
    error.run_id, error.waiting = run_id, tuple(waiting)
    raise error


def _is_settled(run_id: str, events: Sequence[Event], call_id: str, decision: _Decision) -> bool:
    """Whether this very decision was made before.

    Raises:
        AlreadyDecided: Another one was.
    """
    before = _decided_before(events, call_id)
    if before is None:
        return False
    said = (before.approved, before.always, before.by, before.message)
    if said == (decision.approved, decision.always, decision.by, decision.message):
        return True
    who = f"by {before.by!r}" if before.by else "by somebody who gave no name"
    word = "approved" if before.approved else "rejected"
    error = AlreadyDecided(
        f"Call {call_id!r} of run {run_id!r} was {word} already, {who}. That holds; nothing was changed."
    )
    error.run_id, error.call_id, error.approved = run_id, call_id, before.approved
    error.by, error.why, error.at = before.by, before.why, before.at
    raise error


def _decided_before(events: Sequence[Event], call_id: str) -> ApprovalDecided | None:
    """The decision about the newest request of that id, if it has one."""
    asked: dict[str, ApprovalRequested] = {}
    found: ApprovalDecided | None = None
    for event in events:
        if isinstance(event, ApprovalRequested):
            asked[approval_key(event)] = event
            if call_id in (approval_key(event), own_call_id(event)):
                found = None
        elif isinstance(event, ApprovalDecided):
            key = approval_key(event)
            own = own_call_id(asked[key]) if key in asked else key
            found = event if call_id in (key, own) else found
    return found


def _event(state: RunState, request: ApprovalRequested, decision: _Decision) -> ApprovalDecided:
    return ApprovalDecided(
        call_id=request.call_id,
        approved=decision.approved,
        always=decision.always,
        message=decision.message,
        agent=request.agent,
        name=tool_name(state, request, None),
        child=request.child,
        by=decision.by,
        why=decision.why,
        at=time.time(),
    )


# --- Logs. -------------------------------------------------------------------------------


async def _events(journal: Journal, run_id: str) -> list[Event]:
    return [each.event for each in await journal.read(run_id)]


async def _claimed(journal: Journal, run_id: str) -> RunLog:
    lease = await journal.acquire(run_id)
    try:
        return RunLog(journal, lease, await _events(journal, run_id))
    except BaseException:
        await journal.release(lease)
        raise
