"""The items that compaction is about: which it shortens, how they are sent, what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from outlast.core.items import without_reasoning_id
from outlast.core.pairs import is_call, pair_of, unanswered

_MODELS = ("gpt-",)
_FINE_TUNED = "ft:"
_OURS = ("provider_data",)


def is_openai_model_name(model: str) -> bool:
    """Whether a name is one of OpenAI's: ``gpt-...``, ``o3...``, or fine-tuned from such."""
    name = model.strip().rpartition("/")[2]
    name = name.removeprefix(_FINE_TUNED)
    return name.startswith(_MODELS) or (name[:1] == "o" and name[1:2].isdigit())


def select_compaction_candidate_items(items: Sequence[Any]) -> list[Any]:
    """What compaction shortens: all but the user's messages, and what it made before."""
    return [item for item in items if item.get("type") != "compaction" and not _is_user(item)]


def _is_user(item: dict[str, Any]) -> bool:
    return item.get("type", "message") == "message" and item.get("role") == "user"


def for_request(items: Sequence[Any]) -> list[Any]:
    """The items as the provider takes them: no halves of calls, and none of what only it writes."""
    halves = unanswered(items)
    return [_sent(item) for item in items if pair_of(item) not in halves]


def _sent(item: dict[str, Any]) -> dict[str, Any]:
    dropped = (*_OURS, "created_by") if item.get("type") == "compaction" else _OURS
    if not item.keys() & set(dropped):
        return item
    return {key: value for key, value in item.items() if key not in dropped}


def for_store(output: Sequence[Any]) -> list[Any]:
    """What the provider answered, as a session keeps it.

    Raises:
        ValueError: A part of a message has nothing in it.
    """
    items: list[Any] = [
        each if isinstance(each, dict) else each.model_dump(exclude_unset=True) for each in output
    ]
    return without_orphaned_ids([_user_message(item) for item in items])


def without_orphaned_ids(items: Sequence[Any]) -> list[Any]:
    """Messages of the model without ids where their reasoning is gone: the provider would miss it."""
    if any(item.get("type") == "reasoning" for item in items):
        return list(items)
    return [
        {key: value for key, value in item.items() if key != "id"}
        if item.get("role") == "assistant"
        else item
        for item in items
    ]


_SOURCES = {
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_data", "file_url", "file_id"),
}


def _user_message(item: dict[str, Any]) -> dict[str, Any]:
    content = item.get("content")
    if not _is_user(item) or not isinstance(content, list):
        return item
    return {**item, "content": [_part(part) for part in cast("list[Any]", content)]}


def _part(part: Any) -> Any:
    """A part of a message without what is not set: the API takes none of it back."""
    if not isinstance(part, dict):
        return cast("object", part)
    known = cast("dict[str, Any]", part)
    kind = known.get("type")
    sources = _SOURCES.get(str(kind))
    if sources is None:
        return known
    if not any(known.get(name) for name in sources):
        *first, last = sources
        named = ", ".join(first) + (", or " if len(first) > 1 else " or ") + last
        raise ValueError(f"Compaction {kind} item missing {named}.")
    return {name: value for name, value in known.items() if value is not None}


# --- What of a session the model has seen. ------------------------------------------------


def as_compared(item: Any, *, omits_reasoning_ids: bool, ignores_ids: bool) -> dict[str, Any]:
    """An item without that in which a stored one may differ from what the model was given."""
    plain = {key: value for key, value in item.items() if value is not None}
    if omits_reasoning_ids:
        plain = without_reasoning_id(plain)
    if ignores_ids:
        plain.pop("id", None)
    return plain


def seen_suffix(stored: Sequence[Any], exchange: Sequence[Any]) -> int:
    """How many of the last stored items stand in the exchange, in their order."""
    place = len(exchange)
    for count, item in enumerate(reversed(stored)):
        place -= 1
        while place >= 0 and exchange[place] != item:
            place -= 1
        if place < 0:
            return count
    return len(stored)


def has_open_calls(items: Sequence[Any]) -> bool:
    """Whether a call waits for its answer."""
    halves = unanswered(items)
    return any(is_call(item) and pair_of(item) in halves for item in items)
