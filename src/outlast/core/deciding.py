"""Who may decide about a call that waits, how many have to agree, and what holds if nobody does. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from outlast.core.approval_events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    RequestRules,
)
from outlast.core.state import RunState, approval_key, tool_name, waiting_keys


def may_decide(request: ApprovalRequested, by: str, at: float | None) -> bool:
    """Whether somebody is among those who may decide at that moment."""
    rules = request.rules
    if rules is None or not rules.deciders:
        return True
    is_late = rules.escalates_at is not None and at is not None and at >= rules.escalates_at
    return by in rules.deciders or (is_late and by in rules.escalates_to)


def wants_names(rules: RequestRules | None) -> bool:
    """Whether a word counts only of somebody who says who they are."""
    return rules is not None and (rules.needed > 1 or bool(rules.deciders))


def unnamed(rules: RequestRules | None, name: str) -> str:
    """What is said to whoever decides about a call, and not in the name of one who may."""
    who = (
        ", ".join(map(repr, rules.deciders)) if rules is not None and rules.deciders else "anybody"
    )
    needed = f", and {rules.needed} have to agree" if rules is not None and rules.needed > 1 else ""
    return (
        f"Call {name!r} is for {who} to decide about{needed}: a decision without a name counts for nobody. "
        f"Nothing was decided. Use Runner.approve, reject or answer with by=..., then Runner.resume."
    )


def has_expired(request: ApprovalRequested, at: float | None) -> bool:
    """Whether nobody has decided in time."""
    rules = request.rules
    ends = rules.expires_at if rules is not None else None
    return ends is not None and at is not None and at >= ends


def votes_with(state: RunState, vote: ApprovalVoted) -> tuple[ApprovalVoted, ...]:
    """The votes about a call, with one more; who has voted before has changed their mind."""
    before = state.votes.get(approval_key(vote), ())
    return (*(each for each in before if each.by != vote.by), vote)


def settled(request: ApprovalRequested, votes: tuple[ApprovalVoted, ...]) -> ApprovalVoted | None:
    """What votes come to, as the last of them says it; None while more are needed.

    Several have agreed only to what all of them have said: a yes with other arguments, another answer or
    for longer is another vote. A no refuses the call whatever is said with it, but it holds for later
    calls only where all have said so, and the model is told what each has said.
    """
    rules, last = request.rules, votes[-1]
    needed = rules.needed if rules is not None else 1
    if last.approved:
        agreed = [vote for vote in votes if is_same_vote(vote, last)]
        return last if len(agreed) >= needed else None
    possible = len(rules.deciders) if rules is not None and rules.deciders else needed
    noes = [vote for vote in votes if not vote.approved]
    if len(noes) <= possible - needed:
        return None
    said = dict.fromkeys(vote.message for vote in noes if vote.message is not None)
    message = "\n".join(said) if said else None
    return replace(last, always=all(vote.always for vote in noes), message=message)


def is_same_vote(one: ApprovalVoted, other: ApprovalVoted) -> bool:
    """Whether two people want the same of a call."""
    return _wish(one) == _wish(other)


def _wish(vote: ApprovalVoted) -> tuple[object, ...]:
    message = None if vote.approved else vote.message
    return vote.approved, vote.always, message, vote.answer, _spelled(vote.arguments)


def _spelled(arguments: str | None) -> bytes | None:
    """Arguments in one spelling, so that neither spaces nor the order of names count."""
    if arguments is None:
        return None
    try:
        return msgspec.json.encode(msgspec.json.decode(arguments), order="sorted")
    except (msgspec.DecodeError, msgspec.EncodeError, RecursionError):
        return arguments.encode("utf-8", "surrogatepass")


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
