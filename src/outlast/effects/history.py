"""Making a list of items one that a model's provider takes: nothing twice, no halves of calls."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, cast

from outlast.core.events import Item
from outlast.models.fake_id import FAKE_RESPONSES_ID

_OUTPUT_OF = {
    "function_call_output": "function_call",
    "computer_call_output": "computer_call",
    "shell_call_output": "shell_call",
    "apply_patch_call_output": "apply_patch_call",
    "local_shell_call_output": "local_shell_call",
    "custom_tool_call_output": "custom_tool_call",
}
_CALLS = frozenset(_OUTPUT_OF.values())


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
        if key is None or (item["type"] in _OUTPUT_OF and last[key] == n):
            kept.append(item)
        elif item["type"] not in _OUTPUT_OF and key not in seen:
            kept.append(items[last[key]])
        seen.add(key)
    return kept


def paired(items: Sequence[Item], is_new: Sequence[bool]) -> list[Item]:
    """The items without calls that have no output, and outputs that have no call.

    Reasoning goes with the call that it led to. What is new stays: a caller may hand in a call
    that is answered in this run.
    """
    calls = {_pair(item) for item in items if item.get("type") in _CALLS}
    answered = {_pair(item) for item in items if item.get("type") in _OUTPUT_OF}
    halves = calls ^ answered
    if not halves:
        return list(items)
    kept: list[Item] = []
    leads_to = ""
    for item, new in zip(reversed(items), reversed(is_new), strict=True):
        kind = item.get("type")
        is_call = kind in _CALLS
        if not new and (is_call or kind in _OUTPUT_OF) and _pair(item) in halves:
            leads_to = leads_to if leads_to == "call" or not is_call else "nothing"
        elif new or kind != "reasoning" or leads_to != "nothing":
            leads_to = "call" if is_call else ""
            kept.append(item)
    return kept[::-1]


def _identity(item: Any) -> Hashable:
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    kind = fields.get("type")
    if kind is None or kind == "message":
        return None
    key = fields.get("call_id") or fields.get("approval_request_id") or fields.get("id")
    return (kind, key) if key and key != FAKE_RESPONSES_ID else None


def _pair(item: Item) -> tuple[str, Any]:
    kind = str(item.get("type"))
    return _OUTPUT_OF.get(kind, kind), item.get("call_id") or item.get("id")
