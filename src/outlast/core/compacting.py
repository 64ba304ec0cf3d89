"""Making a conversation shorter without tearing anything: what goes first, what is kept, what is said.

Tool results that nobody looks at any more are cut first. Then older items become a summary, which
somebody else writes. What is left is a window: the newest items that fit. Pure: items in, items out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from outlast.core.events import Item
from outlast.core.identity import canonical, short_hash
from outlast.core.pairs import OUTPUT_OF, is_call, whole_from

Count = Callable[[str], int]
"""How many tokens a text has."""

_BYTES_PER_TOKEN = 3.5
_ITEM_TOKENS = 4
_CUT = "[{} characters of this tool result were left out to save room.]"
_SHORT = 200
"""Characters of a tool result that are not worth cutting."""


def about_tokens(text: str) -> int:
    """About how many tokens a text has, rather too many than too few."""
    return int(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN) + 1


def tokens_of(items: Sequence[Any], count: Count) -> int:
    """How many tokens items have together."""
    return sum(_ITEM_TOKENS + count(_json(item)) for item in items)


def _json(item: object) -> str:
    return msgspec.json.encode(item, enc_hook=str).decode("utf-8", "replace")


# --- Cutting. ----------------------------------------------------------------------------


def with_cut_results(items: Sequence[Item], keep: int) -> list[Item]:
    """The items with old tool results cut short; the newest ``keep`` stay as they are."""
    places = [place for place, item in enumerate(items) if item.get("type") in OUTPUT_OF]
    old = set(places[: max(0, len(places) - keep)])
    return [_cut(item, _SHORT) if place in old else item for place, item in enumerate(items)]


def with_bounded_results(items: Sequence[Item], characters: int) -> list[Item]:
    """The items with no tool result longer than so many characters."""
    return [_cut(item, characters) for item in items]


def _cut(item: Item, characters: int) -> Item:
    output: Any = item.get("output")
    if (
        item.get("type") not in OUTPUT_OF
        or item.get("type") == "computer_call_output"
        or not output
    ):
        return item  # The size of a picture is not that of its text.
    text = output if isinstance(output, str) else _json(output)
    if len(text) <= characters:
        return item
    half = max(0, characters - len(_CUT) - 10) // 2
    note = _CUT.format(len(text) - 2 * half)
    kept = f"{text[:half]} {note} {text[len(text) - half :]}" if half else note
    return {**item, "output": kept}


# --- The window. -------------------------------------------------------------------------


def window_start(items: Sequence[Item], budget: int, count: Count) -> int:
    """Where the longest whole end of a conversation begins that has no more tokens than ``budget``.

    The last thing that belongs together is in it, however long it is.
    """
    sizes = [_ITEM_TOKENS + count(_json(item)) for item in items]
    start, left = len(items), budget
    while start > 0 and sizes[start - 1] <= left:
        start -= 1
        left -= sizes[start]
    start = whole_from(items, start)
    if start < len(items) or not items:
        return start
    # What came last does not fit: it is kept all the same, with what belongs to it.
    return max(place for place in range(len(items)) if whole_from(items, place) == place)


def last_request(items: Sequence[Item]) -> int | None:
    """Where the user has spoken last."""
    for place in reversed(range(len(items))):
        item = items[place]
        if item.get("role") == "user" and kept_behind(item) is None:
            return place
    return None


# --- The summary. ------------------------------------------------------------------------

_SUMMARY = "[Summary of the conversation so far"
_HEAD = re.compile(
    r"\[Summary of the conversation so far, in place of all but the (\d+) items before it "
    r"\((\w*)\)\.\]\n"
)


def summary_item(text: str, kept: Sequence[Item] = ()) -> Item:
    """The message that stands for what is not there any more.

    In a session it comes last: its head says how many of the items before it are still to be read,
    older summaries not counted, and their hash. So nothing that a session holds has to be deleted.
    """
    mark = short_hash(canonical({"items": list(kept)})) if kept else ""
    head = f"{_SUMMARY}, in place of all but the {len(kept)} items before it ({mark}).]\n"
    return {"role": "user", "content": head + text}


def kept_behind(item: Item) -> int | None:
    """How many items before a summary are to be read; None for what is no summary."""
    content = item.get("content")
    found = (
        _HEAD.match(content) if isinstance(content, str) and item.get("role") == "user" else None
    )
    return int(found[1]) if found else None


def from_summary(history: Sequence[Item]) -> list[Item]:
    """A session's items as a model is to see them: its last summary, and what that does not tell."""
    for place in reversed(range(len(history))):
        kept = kept_behind(history[place])
        if not kept:
            continue  # No summary of ours: in a session, each names what is kept beside it.
        behind = last_plain(history[:place], kept)
        if str(history[place]["content"]).startswith(summary_item("", behind)["content"]):
            return [history[place], *behind, *history[place + 1 :]]
    return list(history)


def last_plain(items: Sequence[Item], count: int) -> list[Item]:
    """The last ``count`` items that are no summaries: a session has those of before among its items."""
    plain = [item for item in items if kept_behind(item) is None]
    return plain[max(0, len(plain) - count) :]


def transcript(items: Sequence[Item], characters: int) -> list[str]:
    """The items as texts that can be read, in parts of no more than so many characters."""
    parts: list[str] = [""]
    for line in map(line_of, items):
        for first in range(0, len(line), characters):
            piece = line[first : first + characters]
            if len(parts[-1]) + len(piece) > characters and parts[-1]:
                parts.append("")
            parts[-1] += piece + "\n"
    return [part for part in parts if part.strip()]


def line_of(item: Item) -> str:
    """An item as a line that a person can read; empty for what has no words."""
    kind = item.get("type", "message")
    if is_call(item):
        asked: Any = item.get("arguments", item.get("input", item.get("action", "")))
        return f"Tool call {item.get('name', kind)}: {asked if isinstance(asked, str) else _json(asked)}"
    if "output" in item:
        output: Any = item["output"]
        return f"Tool result: {output if isinstance(output, str) else _json(output)}"
    if kind == "message":
        return f"{str(item.get('role', 'message')).capitalize()}: {_text(item.get('content'))}"
    if kind == "reasoning":
        return ""
    return f"{kind}: {_json(item)}"


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return " ".join(str(part.get("text") or part.get("refusal") or "[file]") for part in parts)
