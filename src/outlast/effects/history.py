"""Making a list of items one that a model's provider takes: nothing twice, no halves of calls."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, cast

from outlast.core.events import Item
from outlast.core.pairs import OUTPUT_OF, is_call, pair_of, unanswered
from outlast.models.fake_id import FAKE_RESPONSES_ID


def unrepeated(items: list[Any]) -> list[Any]:
    """The items with each call, output or other thing that has an id only once, as it is last.

    It stands where it was first, for what follows may depend on it; an output stands where it was
    last, for it depends on its call. Messages may repeat.
    """
    keys = [_identity(item) for item in items]
    named = [key for key in keys if key is not None]
    if len(set(named)) == len(named):
        return items
    last = {key: n for n, key in enumerate(keys) if key is not None}
    kept: list[Any] = []
    seen: set[Hashable] = set()
    for n, (key, item) in enumerate(zip(keys, items, strict=True)):
        if key is None or (item["type"] in OUTPUT_OF and last[key] == n):
            kept.append(item)
        elif item["type"] not in OUTPUT_OF and key not in seen:
            kept.append(items[last[key]])
        seen.add(key)
    return kept


def paired(items: Sequence[Item], is_new: Sequence[bool]) -> list[Item]:
    """The items without calls that no later item answers, and outputs that no earlier one called for.

    Reasoning goes with the call that it led to. What is new stays: a caller may hand in a call
    that is answered in this run.
    """
    halves = _halves(items)
    if not halves:
        return list(items)
    kept: list[Item] = []
    leads_to = ""
    for place in reversed(range(len(items))):
        item, new, call = items[place], is_new[place], is_call(items[place])
        if not new and place in halves:
            leads_to = leads_to if leads_to == "call" and call else "nothing"
        elif new or item.get("type") != "reasoning" or leads_to != "nothing":
            leads_to = "call" if call else ""
            kept.append(item)
    return kept[::-1]


def whole(items: list[Item], given: int) -> list[Item]:
    """What a handoff's filter left, with nothing twice and without calls that no item answers.

    What the filter moved stays where it put it.

    Args:
        items: The conversation.
        given: How many of its items are the run's input, in which calls may stand alone.
    """
    alone = unanswered(items)
    is_kept = [
        n < given or not (pair_of(item) in alone if is_call(item) else _is_thought(item))
        for n, item in enumerate(items)
    ]
    return unrepeated(paired(items, is_kept) if alone else items)


def _is_thought(item: Item) -> bool:
    return item.get("type") == "reasoning"


def _halves(items: Sequence[Item]) -> set[int]:
    """Where calls stand that nothing answers later, and outputs that nothing called for before."""
    waiting: dict[tuple[str, Any], list[int]] = {}
    answered: set[tuple[str, Any]] = set()
    halves: set[int] = set()
    for place, item in enumerate(items):
        pair = pair_of(item)
        if pair is None or pair[0] == "mcp_approval_request":
            continue
        if is_call(item):
            waiting.setdefault(pair, []).append(place)
            halves.add(place)
        elif pair in waiting:
            halves.difference_update(waiting[pair])
            answered.add(pair)
        else:
            halves.add(place)
    return {
        place
        for place in halves
        if not is_call(items[place]) or pair_of(items[place]) not in answered
    }


def _identity(item: object) -> Hashable:
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    kind = fields.get("type")
    if kind is None or kind == "message":
        return None
    key = fields.get("call_id") or fields.get("approval_request_id") or fields.get("id")
    return (kind, key) if key and key != FAKE_RESPONSES_ID else None
