"""What belongs together in a conversation: calls and their outputs, reasoning and what it led to.

A provider refuses a call without its output, an output without its call, and reasoning without the item
that it led to. So a conversation is only ever cut where nothing that belongs together is torn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.core.events import Item

OUTPUT_OF = {
    "function_call_output": "function_call",
    "computer_call_output": "computer_call",
    "shell_call_output": "shell_call",
    "apply_patch_call_output": "apply_patch_call",
    "local_shell_call_output": "local_shell_call",
    "custom_tool_call_output": "custom_tool_call",
    "mcp_approval_response": "mcp_approval_request",
}
"""What each kind of output answers."""
CALLS = frozenset(OUTPUT_OF.values())


def pair_of(item: Item) -> tuple[str, Any] | None:
    """What a call and its output have in common; None for what is neither."""
    kind = str(item.get("type"))
    if kind in ("mcp_approval_request", "mcp_approval_response"):
        return "mcp_approval_request", item.get("approval_request_id") or item.get("id")
    if kind not in CALLS and kind not in OUTPUT_OF:
        return None
    return OUTPUT_OF.get(kind, kind), item.get("call_id") or item.get("id")


def is_call(item: Item) -> bool:
    """Whether the item asks for something that another item answers."""
    return item.get("type") in CALLS


def unanswered(items: Sequence[Item]) -> set[tuple[str, Any]]:
    """The calls without an output, and the outputs without a call."""
    calls = {pair_of(item) for item in items if is_call(item)}
    outputs = {pair_of(item) for item in items if item.get("type") in OUTPUT_OF}
    return {pair for pair in calls ^ outputs if pair is not None}


def whole_from(items: Sequence[Item], start: int) -> int:
    """The first place from ``start`` on where the conversation can be cut without tearing anything."""
    for first, last in _spans(items):
        if first < start <= last:
            start = last + 1
    return start


def _spans(items: Sequence[Item]) -> list[tuple[int, int]]:
    """Where things that belong together begin and end, in the order of their beginnings."""
    ends: dict[int, int] = {}
    open_calls: dict[Any, int] = {}
    thought: int | None = None
    for place, item in enumerate(items):
        pair = pair_of(item)
        if item.get("type") == "reasoning":
            thought = place if thought is None else thought
        elif thought is not None:
            ends[thought] = place
            thought = None if not is_call(item) else thought
        if pair is not None and is_call(item):
            open_calls.setdefault(pair, place)
        elif pair is not None and pair in open_calls:
            ends[open_calls[pair]] = max(place, ends.get(open_calls[pair], place))
    return _merged(sorted(ends.items()))


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
