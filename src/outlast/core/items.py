"""Questions about items: dicts in the wire shape of the Responses API."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any, cast

import msgspec

from outlast.core.events import Item

_OUTPUTS = {"function_call_output", "computer_call_output", "custom_tool_call_output"}
_KINDS = {
    "message": "message",
    "reasoning": "reasoning",
    "mcp_approval_request": "mcp_approval_request",
    "mcp_list_tools": "mcp_list_tools",
    "mcp_approval_response": "mcp_approval_response",
    "compaction": "compaction",
    "tool_search_call": "tool_search_call",
    "tool_search_output": "tool_search_output",
    "function_call_output": "tool_output",
    "program_output": "tool_output",
}
_OF_RUNS = {
    "additional_tools", "compaction", "compaction_summary", "compaction_trigger", "configuration_update",
    "mcp_approval_request", "mcp_approval_response", "mcp_list_tools", "program", "reasoning",
}  # fmt: skip
"""What a model, a tool or a decision says in a run, besides calls and their outputs."""


def is_of_run(item: Item) -> bool:
    """Whether only a run itself adds such an item to its conversation: a call, an answer of one, ..."""
    kind = str(item.get("type", ""))
    return kind in _OF_RUNS or kind.endswith(("_call", "_output"))


def copied(item: Any) -> Any:
    """A copy of an item that shares nothing with it; of JSON in a fraction of a deep copy's time."""
    try:
        twin = msgspec.to_builtins(item)
    except (TypeError, RecursionError):
        return _deeply(item)
    return twin if type(twin) is type(item) and twin == item else _deeply(item)


def _deeply(item: Any) -> Any:
    try:
        return deepcopy(item)
    except Exception:  # noqa: BLE001  # an object of the caller's that cannot be copied
        return item


def entry_kind(item: Item) -> str:
    """What an item of a model's reply is to the caller; a call that nothing else claims is a tool's."""
    return _KINDS.get(str(item.get("type", "message")), "tool_call")


def call_id(item: Item) -> str:
    """The id that ties a call to its output; an item's own id where it has no other."""
    return str(item.get("call_id") or item.get("id") or "")


def invocation(item: Item) -> str:
    """What a call asks for, as one comparable text: an approval holds for exactly this."""
    kind, name = item.get("type"), item.get("name")
    body: Any = item.get("arguments", item.get("input", item.get("action", item.get("operation"))))
    if not isinstance(body, str):
        body = msgspec.json.encode(body, order="sorted").decode()
    elif kind != "custom_tool_call":
        body = (_canonical if len(body) <= _SHORT else _canonical.__wrapped__)(body)
    return f"{kind}|{item.get('namespace') or ''}|{name}|{body}"


_SHORT = 4096  # Longer ones would be kept alive for nothing.


@lru_cache(maxsize=32)  # A reply's calls are asked about twice: when it comes, and in the fold.
def _canonical(text: str) -> str:
    """A text of JSON without what does not count in it: white space, the order of names."""
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


def without_reasoning_id(item: Item) -> Item:
    """The item; if it is reasoning, as it is where no provider keeps it."""
    if item.get("type") != "reasoning":
        return item
    return {key: value for key, value in item.items() if key != "id"}


def text_of(item: Item) -> str:
    """The text of a message, its parts joined; empty when it has none."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    return "".join(_parts(item, "output_text", "text"))


def refusal_of(item: Item) -> str | None:
    """The refusal in a message, or None."""
    found = _parts(item, "refusal", "refusal")
    return "".join(found) if found else None


def last_message(output: list[Item]) -> Item | None:
    """The last message among a reply's items."""
    for item in reversed(output):
        if item.get("type") == "message":
            return item
    return None


def tool_text(call_id: str, text: str) -> Item:
    """The output item that answers a function call with ``text``."""
    return {"call_id": call_id, "output": text, "type": "function_call_output"}


def _parts(item: Item, kind: str, key: str) -> list[str]:
    content: Any = item.get("content")
    if not isinstance(content, list):
        return []
    parts = cast("list[Any]", content)  # JSON of others
    return [str(part[key]) for part in parts if isinstance(part, dict) and part.get("type") == kind]  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
