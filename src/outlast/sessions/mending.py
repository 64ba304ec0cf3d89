"""What is wrong with a conversation that has lost items, and how it is put right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.core.pairs import OUTPUT_OF, is_call, pair_of
from outlast.sessions.rewriting import RewritableSession, rewrites_in_one_step
from outlast.sessions.session import SessionLike, ask_session

_ALL = 2**31 - 1


def problems_in(items: Sequence[dict[str, Any]]) -> dict[int, str]:
    """What a provider would refuse: what is wrong, by where it stands, from 0."""
    wrong: dict[int, str] = {}
    waiting: dict[Any, int] = {}
    answered: set[Any] = set()
    for place, item in enumerate(items):
        pair = pair_of(item)
        if pair is None or pair[0] == "mcp_approval_request":
            continue
        if is_call(item) and pair in waiting:
            wrong[place] = f"the call {pair[1]!r} once more"
        elif is_call(item):
            waiting[pair] = place
        elif pair in answered:
            wrong[place] = f"a second output of call {pair[1]!r}"
        elif pair in waiting:
            answered.add(pair)
        else:
            wrong[place] = f"an output of call {pair[1]!r}, which is not there"
    open_calls = {place: pair for pair, place in waiting.items() if pair not in answered}
    wrong |= {
        place: f"the call {pair[1]!r} without its output" for place, pair in open_calls.items()
    }
    return dict(sorted((wrong | _torn(items, wrong)).items()))


def _torn(items: Sequence[dict[str, Any]], wrong: dict[int, str]) -> dict[int, str]:
    """Reasoning that leads to nothing, once what is wrong is gone."""
    torn: dict[int, str] = {}
    leads_on = False
    for place in reversed(range(len(items))):
        item = items[place]
        kind = str(item.get("type", "message"))
        if kind == "reasoning":
            if not leads_on:
                torn[place] = "reasoning without what it led to"
        elif place not in wrong:
            is_said = kind == "message" and item.get("role") == "assistant"
            leads_on = is_said or (kind != "message" and kind not in OUTPUT_OF)
        elif not is_call(item):
            leads_on = False
    return torn


async def mend(session: SessionLike) -> dict[int, str]:
    """Take out of a session what a provider would refuse; returns what that was.

    A call that waits for a person has no output either: mend what no run is going on in.

    Raises:
        TypeError: The session cannot replace its items in one step.
    """
    found: dict[int, str] = {}

    def mended(items: list[Any]) -> list[Any] | None:
        found.clear()
        found.update(problems_in(items))
        kept = [item for place, item in enumerate(items) if place not in found]
        return kept if found else None

    if not isinstance(session, RewritableSession) or not rewrites_in_one_step(session):
        items: Any = await ask_session(session, "get_items", _ALL)  # type: ignore[arg-type]
        if not problems_in(items):
            return {}
        raise TypeError(
            f"{type(session).__name__} cannot replace its items in one step. Export it, and import it "
            "into another session."
        )
    await session.rewrite_items(mended)
    return found
