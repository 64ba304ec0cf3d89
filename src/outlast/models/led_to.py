"""Reasoning and what it led to, as the Responses API wants them: side by side, or neither by its id.

The API knows its own items by their ids. It refuses reasoning without the item that it led to, and that
item, under its id, without the reasoning. Histories lose items: a limit cuts them, a filter or a person
takes some out. So what has lost its partner goes without its id: the API takes it for what it says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

_T = TypeVar("_T")

_LED_TO = frozenset({"message", "function_call", "custom_tool_call"})
_MISSED = ("required 'reasoning' item", "required following item")
_REFUSED = 400
_OUTPUTS = ("_output", "_response")


def with_partners(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items without reasoning that leads to nothing, and without ids that nothing leads to."""
    kept: list[dict[str, Any]] = []
    for place, item in enumerate(items):
        if item.get("type") == "reasoning":
            if _leads_on(items, place + 1):
                kept.append(item)
        elif (
            "id" in item and item.get("type") in _LED_TO and not (kept and _is_reasoning(kept[-1]))
        ):
            kept.append({name: value for name, value in item.items() if name != "id"})
        else:
            kept.append(item)
    return kept


async def asked_without(
    ask: Callable[[dict[str, Any]], Awaitable[_T]], kwargs: dict[str, Any]
) -> _T:
    """What ``ask`` answers; asked again, without reasoning, if the provider misses a partner.

    Which reasoning led to an item cannot be seen from the items where several of them are gone.
    """
    try:
        return await ask(kwargs)
    except Exception as error:
        again = _without_thoughts(kwargs.get("input"))
        if again is None or not _misses_partner(error):
            raise
    return await ask({**kwargs, "input": again})


def _misses_partner(error: Exception) -> bool:
    text = str(error)
    return getattr(error, "status_code", None) == _REFUSED and any(each in text for each in _MISSED)


def _without_thoughts(given: object) -> list[Any] | None:
    if not isinstance(given, list):
        return None
    items = cast("list[dict[str, Any]]", given)
    return [
        {name: value for name, value in item.items() if name != "id"}
        if item.get("type") in _LED_TO
        else item
        for item in items
        if not _is_reasoning(item)
    ]


def _is_reasoning(item: dict[str, Any]) -> bool:
    return item.get("type") == "reasoning"


def _leads_on(items: Sequence[dict[str, Any]], place: int) -> bool:
    """Whether the model itself said or did something from ``place`` on, behind its reasoning."""
    while place < len(items) and _is_reasoning(items[place]):
        place += 1
    if place == len(items):
        return False
    kind = str(items[place].get("type", "message"))
    is_said = items[place].get("role") == "assistant"
    return is_said if kind == "message" else not kind.endswith(_OUTPUTS)
