"""What a run has on record since a state of it was taken, and what that means to a fork of the state."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from outlast.core.events import ApprovalDecided, EffectStarted, Event, Policy, ToolReturned
from outlast.core.evolve import fold
from outlast.core.ids import effect_id
from outlast.core.state import RunState, approval_key, idempotency_key


def begun(events: Sequence[Event], since: Sequence[Event]) -> list[Event]:
    """The starts in ``since`` of calls that are open after ``events``: a fork of them is in doubt too.

    So a call that may take effect only once takes none again because a fork makes it. A call whose
    policy is to run again does so in each fork, under the same key, as in openai-agents.
    """
    state = fold(events)
    keys = {effect_id("tool", state.turn, call_id) for call_id in state.open_calls}
    starts: dict[str, Event] = {}
    for event in since:
        match event:
            case EffectStarted() if event.id in keys and event.policy != "retry":
                starts[event.id] = event
            case ToolReturned(outcome="rejected"):
                starts.pop(event.id, None)  # The tool has not been called.
            case _:
                pass
    return list(starts.values())


def begun_inside(start: EffectStarted, logs: Sequence[Sequence[Event]]) -> EffectStarted | None:
    """The start of an effect as one in doubt, because of what the runs inside it have begun.

    Args:
        start: The effect's own.
        logs: Those of the runs inside it, and of the runs inside them.

    Returns:
        A start under the strictest policy of their calls; None where all of them may run again.
    """
    policies: dict[tuple[int, str], Policy] = {}
    for number, log in enumerate(logs):
        for event in log:
            match event:
                case EffectStarted(kind="tool") if event.policy != "retry":
                    policies[number, event.id] = event.policy
                case ToolReturned(outcome="rejected"):
                    policies.pop((number, event.id), None)  # The tool has not been called.
                case _:
                    pass
    if not policies:
        return None
    return replace(start, policy="once" if "once" in policies.values() else "ask")


def has_begun(run_id: str, events: Sequence[Event], state: RunState, key: str) -> bool:
    """Whether a run has begun the call that the outside world knows by ``key``.

    Args:
        run_id: The run.
        events: Its log.
        state: What that amounts to.
        key: The call's idempotency key.
    """
    names: set[str] = set()
    for event in events:
        match event:
            case EffectStarted() if idempotency_key(state, run_id, event.id) == key:
                names.add(event.id)
            case ToolReturned(outcome="rejected"):
                names.discard(event.id)  # The tool has not been called.
            case _:
                pass
    return bool(names)


def overruled(since: Sequence[Event], planned: Sequence[Event]) -> list[ApprovalDecided]:
    """The decisions in ``since`` about calls of which ``planned`` says something else."""
    ours = {approval_key(each): each for each in planned if isinstance(each, ApprovalDecided)}
    others: list[ApprovalDecided] = []
    for event in since:
        if not isinstance(event, ApprovalDecided):
            continue
        decision = ours.pop(
            approval_key(event), None
        )  # A call that asks again is another question.
        if decision is not None and _said(decision) != _said(event):
            others.append(event)
    return others


def _said(decision: ApprovalDecided) -> tuple[bool, bool, str | None]:
    return decision.approved, decision.always, decision.message
