"""The fold of guardrails' answers and of people's decisions."""

from __future__ import annotations

from msgspec.structs import replace

from outlast.core.deciding import votes_with
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    ApprovalWaived,
    GuardrailChecked,
)
from outlast.core.folds.conversation import flushed
from outlast.core.folds.effects import finished, without
from outlast.core.folds.table import Folds
from outlast.core.ids import approval_id
from outlast.core.state import RunState, approval_key, own_call_id, question_id


def _checked(state: RunState, event: GuardrailChecked) -> RunState:
    state = finished(replace(state, checks=state.checks.extended((event,))), event.id)
    if event.stage not in ("input", "output"):
        return state
    return replace(
        state,
        tripped=event if event.tripped and not state.tripped else state.tripped,
        open_checks=state.open_checks - {event.id},
        passed=state.passed if event.tripped else state.passed | {event.id},
    )


def _requested(state: RunState, event: ApprovalRequested) -> RunState:
    key = approval_key(event)
    decided = without(state.decided, key)
    # What was decided before about the same call is past.
    number, own = event.inner_number or state.questions.get(key, 0) + 1, own_call_id(event)
    verdicts = state.verdicts
    for name in (key, own, question_id(key, number), question_id(own, number)):
        verdicts = without(verdicts, name)
    requested = {**state.requested, key: event}
    keys = tuple(each for each in state.requested_as.get(own, ()) if each != key)
    votes = {each: cast for each, cast in state.votes.items() if each != key}
    state = replace(
        state,
        requested=requested,
        requested_as={**state.requested_as, own: (*keys, key)},
        decided=decided,
        verdicts=verdicts,
        votes=votes,
        questions={**state.questions, key: number},
    )
    # The tool stops until a person has spoken; the effect that asked is over too.
    return finished(finished(state, event.id), approval_id(event.id))


def _decided(state: RunState, event: ApprovalDecided) -> RunState:
    key = approval_key(event)
    request = state.requested.get(key)
    own, number = own_call_id(request) if request else key, state.questions.get(key, 1)
    names = [key, question_id(key, number)]
    if not _waits_too(state, key, own):
        names += [own, question_id(own, number)]
    answers = state.told_answers
    if request is not None and request.ask and not request.child and event.answer is not None:
        own_answers = {**answers.get(request.id, {}), request.ask: event.answer}
        answers = {**answers, request.id: own_answers}
    state = replace(
        flushed(state),
        told_answers=answers,
        decided={**state.decided, key: event},
        verdicts={**state.verdicts, **dict.fromkeys(names, event)},
        activated=False,
    )
    if not event.always:
        return state
    return replace(state, standing={**state.standing, (event.agent, event.name): event})


def _waits_too(state: RunState, key: str, own: str) -> bool:
    """Whether another call waits that its model gave the same id: that names the other from now on."""
    keys = state.requested_as.get(own, ())
    return any(each != key and each not in state.decided for each in keys)


def _voted(state: RunState, event: ApprovalVoted) -> RunState:
    key = approval_key(event)
    return replace(state, votes={**state.votes, key: votes_with(state, event)})


def _waived(state: RunState, event: ApprovalWaived) -> RunState:
    return finished(replace(state, waived=state.waived | {event.call_id}), event.id)


FOLDS: Folds = {
    GuardrailChecked: _checked,
    ApprovalRequested: _requested,
    ApprovalDecided: _decided,
    ApprovalWaived: _waived,
    ApprovalVoted: _voted,
}
