"""Who may decide about a call that waits, how many have to agree, and what holds if nobody does. Pure."""

from __future__ import annotations

from outlast.core.approval_events import ApprovalDecided, ApprovalRequested, ApprovalVoted
from outlast.core.commands import Decide
from outlast.core.state import RunState, approval_key, tool_name, waiting_keys


def may_decide(request: ApprovalRequested, by: str, at: float | None) -> bool:
    """Whether somebody is among those who may decide at that moment."""
    rules = request.rules
    if rules is None or not rules.deciders:
        return True
    is_late = rules.escalates_at is not None and at is not None and at >= rules.escalates_at
    return by in rules.deciders or (is_late and by in rules.escalates_to)


def has_expired(request: ApprovalRequested, at: float | None) -> bool:
    """Whether nobody has decided in time."""
    rules = request.rules
    ends = rules.expires_at if rules is not None else None
    return ends is not None and at is not None and at >= ends


def is_settled_by(request: ApprovalRequested, votes: tuple[ApprovalVoted, ...]) -> bool | None:
    """What votes come to: yes, no, or None while more are needed."""
    rules = request.rules
    needed = rules.needed if rules is not None else 1
    yes = sum(vote.approved for vote in votes)
    if yes >= needed:
        return True
    possible = len(rules.deciders) if rules is not None and rules.deciders else needed
    return False if len(votes) - yes > possible - needed else None


def vote_of(state: RunState, request: ApprovalRequested, command: Decide) -> ApprovalVoted | None:
    """The vote that somebody has cast already about a call that waits."""
    votes = state.votes.get(approval_key(request), ())
    return next((vote for vote in votes if vote.by == command.by), None)


def expired(state: RunState, now: float) -> list[ApprovalDecided]:
    """What holds of calls about which nobody has decided in time."""
    found: list[ApprovalDecided] = []
    for key in waiting_keys(state):
        request = state.requested[key]
        rules = request.rules
        if rules is None or not has_expired(request, now):
            continue
        is_yes = rules.on_expiry == "approve" and not request.question
        found.append(
            ApprovalDecided(
                call_id=request.call_id,
                approved=is_yes,
                message=None if is_yes else "Nobody has approved this in time.",
                agent=request.agent,
                name=tool_name(state, request, None),
                child=request.child,
                why="expired",
                at=rules.expires_at,
            )
        )
    return found


def next_expiry(state: RunState) -> float | None:
    """When the first of the calls that wait expires, in seconds since 1970."""
    asked = (state.requested[key].rules for key in waiting_keys(state))
    ends = (rules.expires_at for rules in asked if rules is not None)
    return min((end for end in ends if end is not None), default=None)
