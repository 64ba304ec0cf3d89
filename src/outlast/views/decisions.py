"""What people have decided about calls, read from a run's log: an audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from outlast.core.events import ApprovalDecided, ApprovalRequested, ApprovalVoted, Event
from outlast.core.evolve import evolve
from outlast.core.state import RunState, approval_key
from outlast.views.waiting import requested_item


class DecisionRecord(NamedTuple):
    """One person's word about one call."""

    call_id: str
    agent: str
    tool: str
    kind: str
    """`decision`, or `vote` where it was not the last that was needed."""
    approved: bool
    by: str
    why: str
    at: float | None
    """Seconds since 1970."""
    before: str
    """The arguments that the model has asked for."""
    after: str
    """Those that the call is made with; empty if it is refused."""
    question: str
    answer: str | None
    message: str | None
    """What the model is told of a refusal."""


def decision_records(events: Sequence[Event]) -> list[DecisionRecord]:
    """Every word in the order in which it was said."""
    state, found = RunState(), list[DecisionRecord]()
    for event in events:
        if isinstance(event, ApprovalDecided | ApprovalVoted):
            request = state.requested.get(approval_key(event))
            found.append(_record(state, request, event))
        state = evolve(state, event)
    return found


def decision_places(events: Sequence[Event]) -> dict[str, int | None]:
    """The keys of the calls that people were asked about, and where each was first decided.

    The place is that in ``events``; None while nobody has decided.
    """
    found: dict[str, int | None] = {}
    for place, event in enumerate(events):
        if isinstance(event, ApprovalRequested):
            found.setdefault(approval_key(event), None)
        elif isinstance(event, ApprovalDecided) and found.get(approval_key(event)) is None:
            found[approval_key(event)] = place
    return found


def _record(
    state: RunState, request: ApprovalRequested | None, event: ApprovalDecided | ApprovalVoted
) -> DecisionRecord:
    item: Any = (requested_item(state, request) if request else None) or {}
    before = str(item.get("arguments", item.get("input", "")))
    is_decision = isinstance(event, ApprovalDecided)
    changed = event.arguments
    return DecisionRecord(
        approval_key(event),
        request.agent if request else "",
        request.name if request else "",
        "decision" if is_decision else "vote",
        event.approved,
        event.by,
        event.why,
        event.at,
        before,
        "" if not event.approved else before if changed is None else changed,
        request.question if request else "",
        event.answer,
        event.message,
    )
