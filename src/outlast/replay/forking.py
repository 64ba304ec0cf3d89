"""Going another way from a step of a run on: a new run that begins with a part of that one's log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.core import events as facts, forks
from outlast.core.errors import RunConflict, RunNotFound, UserError
from outlast.core.evolve import fold
from outlast.core.ids import EffectId, effect_id
from outlast.core.missing import NoSuchThing
from outlast.core.state import RunState
from outlast.effects.config import RunConfig
from outlast.engine.local_runs import new_run_id, open_log
from outlast.journal.journal import Journal
from outlast.run.request import as_items, journal_of
from outlast.views.branch import (
    events_before,
    replied,
    returned,
    runs_inside,
    starts_of,
    with_input,
)


async def fork(  # noqa: PLR0913
    run_id: str,
    at: str,
    *,
    new_id: str | None = None,
    result: str | None = None,
    reply: str | None = None,
    message: str | None = None,
    input: Any = None,  # noqa: A002  # what runs call it
    journal: Any = None,
) -> str:
    """Begin a run that is another one up to a step, and goes its own way from there.

    Nothing before the step is performed again: no model is asked, no tool performed. Nothing is
    performed at all until somebody goes on with the fork, as `Runner.resume` does. Calls beside the step
    keep their answers. Of a call that may take effect only once, and has begun, or that an agent answers
    in whose run such a call has, the model is told that its outcome is unknown, unless ``result`` says
    what it came to.

    Args:
        run_id: The run that it comes from.
        at: The step from which it goes another way, by its id: ``m2`` asks the model of the second turn
            again, with the program's instructions as they are then; ``t1.<call id>`` makes a call again.
        new_id: The fork's id; None makes one.
        result: What the call at that step came to, in place of making it.
        reply: What the model at that step answered, as a text, in place of asking it.
        message: What the user says in addition, before the model is asked next.
        input: What the run is given instead, where ``at`` is in its first turn.
        journal: Where both are kept, as in `RunConfig`.

    Returns:
        The fork's id.

    Raises:
        RunNotFound: There is no such run.
        UserError: It has no such step, or what is changed does not belong there.
        RunConflict: There is a run called ``new_id`` already.
    """
    for name, value in {"at": at, "result": result, "reply": reply, "message": message}.items():
        if not isinstance(value, str | None) or (name == "at" and value is None):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise UserError(f"{name} must be a text; got {value!r:.40}. Nothing was forked.")
    kept = journal_of(RunConfig(journal=journal))
    log = [each.event for each in await kept.read(run_id)]
    place = EffectId.parse(at)
    _check(run_id, at, log, _changes(result, reply, input))
    own = events_before(log, place, keeps_prompt=reply is not None)
    if input is not None:
        own = with_input(own, as_items(input), is_text=isinstance(input, str))
    state = fold(own)
    added: list[facts.Event] = [facts.RunForked(run_id, len(own))]
    begun = [*forks.begun(own, log), *await _begun_inside(kept, state, log)]
    if result is not None:
        begun = [event for event in begun if getattr(event, "id", "") != at]
        answer = returned(state, at, result)
        if answer is None:
            raise UserError(
                f"Only the call of a function can be given a result, and {at!r} is none."
            )
        begun.append(answer)
    elif reply is not None:
        begun.append(replied(state, at, reply))
    added += begun
    if message is not None:
        added.append(facts.MessageReceived("fork", as_items(message)))
    added.append(facts.RunAbandoned("leave"))  # Nobody goes on with it until asked to.
    return await _written(kept, new_id or new_run_id(), [*own, *added])


async def _begun_inside(
    journal: Journal, state: RunState, log: Sequence[facts.Event]
) -> list[facts.Event]:
    """The starts of open calls that agents answer, whose runs have begun what must not begin again.

    The fork makes such a call in a run of its own, which knows nothing of what that one has done. Where
    the run has asked a person the fork has a copy of it, which goes on from there.
    """
    found: list[facts.Event] = []
    for call_id in state.open_calls:
        at = effect_id("tool", state.turn, call_id)
        starts = starts_of(log, at)
        if at in state.children or not starts:
            continue
        children = [e.run_id for e in runs_inside(log) if e.id == at and not e.is_nested]
        start = forks.begun_inside(starts[-1], await _logs_of(journal, children))
        found += [] if start is None else [start]
    return found


async def _logs_of(journal: Journal, run_ids: Sequence[str]) -> list[list[facts.Event]]:
    """The logs of these runs and of all runs inside them, where they are kept here."""
    logs: list[list[facts.Event]] = []
    due = list(run_ids)
    while due:
        try:
            logs.append([each.event for each in await journal.read(due.pop())])
        except RunNotFound:
            continue
        due += [each.run_id for each in runs_inside(logs[-1])]
    return logs


def _changes(result: str | None, reply: str | None, given: object) -> set[str]:
    named = {"result": result, "reply": reply, "input": given}
    return {name for name, value in named.items() if value is not None}


def _check(run_id: str, at: str, log: Sequence[facts.Event], changes: set[str]) -> None:
    place = EffectId.parse(at)
    known = {str(getattr(event, "id", "")) for event in log} - {""}
    if at not in known or place.kind not in _PLACES:
        some = ", ".join(sorted({key for key in known if EffectId.parse(key).kind in _PLACES})[:12])
        raise NoSuchThing(f"Run {run_id!r} has no step {at!r} to fork at. Its steps are: {some}.")
    if "result" in changes and place.kind != "tool":
        raise UserError(f"Only a call has a result, and {at!r} is a {place.kind} step.")
    if "reply" in changes and place.kind != "model":
        raise UserError(f"Only a model replies, and {at!r} is a {place.kind} step.")
    if "input" in changes and (
        place.turn > 1 or place.kind not in ("model", "prepare", "guardrail")
    ):
        raise UserError(
            f"The input stands before everything else, and {at!r} does not. Fork at 'm1', or give the "
            "fork a message."
        )


_PLACES = {"prepare", "model", "tool", "handoff", "guardrail", "conclude"}


async def _written(journal: Journal, run_id: str, events: list[facts.Event]) -> str:
    log = await open_log(journal, run_id)
    try:
        if log.events:
            raise RunConflict(
                f"There is a run {run_id!r} already. Give the fork another id, or none."
            )
        log.add(events)
        await log.commit()
    finally:
        await log.release()
    return run_id
