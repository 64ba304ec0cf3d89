"""The calls of a run that wait for a person, and what was decided about them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from outlast.core.commanding import ended_word
from outlast.core.errors import AlreadyDecided, CallNotFound
from outlast.core.events import ApprovalDecided
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.journal.opening import open_journal
from outlast.run.decisions import answer as tell_answer, approve, reject
from outlast.views.status import is_decided_last
from outlast.views.waiting import WaitingCall, waiting_calls


async def calls_of(run_id: str) -> list[WaitingCall]:
    """What a run asks, from its log and those of the runs inside it; in the order in which it asked."""
    state = await _state_of(run_id)
    calls = waiting_calls(state)
    offers = _offers(state) if any(call.request.edition for call in calls) else {}
    return [_with_offer(call, offers) for call in calls]


def _with_offer(call: WaitingCall, offers: dict[str, dict[str, Any]]) -> WaitingCall:
    """A call with what its server says about the tool."""
    offer = offers.get(call.tool, {}) if call.request.edition else {}
    if "mcp" not in offer:
        return call
    description = call.request.description or offer.get("description", "")
    return call._replace(server=offer["mcp"]["server"], description=description)


def _offers(state: RunState) -> dict[str, dict[str, Any]]:
    """What the turn in progress offered, by name."""
    if state.prepared is None or not state.prepared.tools:
        return {}
    document = open_journal().blobs.get(state.prepared.tools)
    return {each["name"]: each for each in msgspec.json.decode(document)}


async def _state_of(run_id: str) -> RunState:
    return fold([each.event for each in await open_journal().read(run_id)])


async def decided_before(run_id: str, key: str) -> str:
    """Who has decided about a call, and what the run is, as text; empty if nobody has."""
    state = await _state_of(run_id)
    verdict = state.verdicts.get(key)
    if verdict is None:
        return ""
    word = ended_word(state) or "not ended"
    said = "answered" if verdict.answer is not None else None
    return f"{key} was {said or _word(verdict)} already, by {_who(verdict)}; the run is {word}"


async def waits_to_go_on(run_id: str) -> bool:
    """Whether a person's decision is the last thing that happened in a run."""
    return is_decided_last([each.event for each in await open_journal().read(run_id)])


def _word(verdict: ApprovalDecided) -> str:
    return "approved" if verdict.approved else "rejected"


def _who(verdict: ApprovalDecided) -> str:
    return repr(verdict.by) if verdict.by else "somebody who gave no name"


async def say_nothing_waits(run_id: str) -> None:
    """Refuse to decide about the calls of a run of which none waits.

    Raises:
        AlreadyDecided: Somebody was first.
        CallNotFound: No call waited.
    """
    state = await _state_of(run_id)
    word = ended_word(state)
    what = f"Nothing waits for a person in run {run_id!r}{f', which is {word}' if word else ''}."
    decided = {id(each): (key, each) for key, each in reversed(state.verdicts.items())}
    if not decided:
        raise CallNotFound(f"{what} Nothing was decided. See: outlast approvals")
    said = [
        f"{key!r} was {_word(each)} already, by {_who(each)}"
        for key, each in list(decided.values())[:_NAMED]
    ]
    raise AlreadyDecided(f"{what} {'; '.join(said)}. That holds; nothing was changed.")


_NAMED = 3
"""Of calls that were decided before, the last so many are named."""


async def record(  # noqa: PLR0913  # each says something about one decision
    run_id: str,
    keys: Collection[str],
    *,
    approved: bool,
    message: str,
    by: str = "",
    why: str = "",
    edit: str = "",
    answer: str | None = None,
) -> None:
    """Put a decision about some of its waiting calls into a run's log.

    Raises:
        AlreadyDecided: Somebody else was first.
        AlreadyRunning: A living process performs the run.
        CallNotFound: A call does not wait any more.
    """
    for key in keys:
        if answer is not None:
            await tell_answer(run_id, key, answer, by=by, why=why)
        elif approved:
            await approve(run_id, key, by=by, why=why, arguments=edit or None)
        else:
            await reject(run_id, key, by=by, why=why, message=message or None)
