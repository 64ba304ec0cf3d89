"""What the next agent gets of the conversation before a handoff: a summary, or all but the tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from copy import copy, deepcopy
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, cast

from outlast.core.items import copied
from outlast.definitions.approvals import field_of
from outlast.definitions.run_items import (
    CompactionItem,
    InputItem,
    ItemHelpers,
    MessageOutputItem,
    RunItem,
    ToolApprovalItem,
)

if TYPE_CHECKING:
    from outlast.definitions.handoff import HandoffHistoryMapper, HandoffInputData
    from outlast.definitions.openai_types import TResponseInputItem

Transcript = list[dict[str, Any]]

_WORDS = (InputItem, CompactionItem, MessageOutputItem)
_TYPES = {
    "function_call", "function_call_output", "computer_call", "computer_call_output",
    "file_search_call", "web_search_call", "tool_search_call", "tool_search_output",
    "code_interpreter_call", "image_generation_call", "local_shell_call",
    "local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call",
    "apply_patch_call_output", "custom_tool_call", "custom_tool_call_output", "hosted_tool_call",
    "mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "program",
    "program_output", "reasoning",
}  # fmt: skip

_OPENING = "For context, here is the conversation so far"
_INTRODUCTION = f"{_OPENING} between the user and the previous agent:"
_NOTHING = "(no previous turns recorded)"
_DEFAULT_WRAPPERS = ("<CONVERSATION HISTORY>", "</CONVERSATION HISTORY>")
_NOTES = {"provider_data", "created_by"}
_RECORD = re.compile(r"(\d+)\.(?:\s|$)")
_SPEAKER = re.compile(r"(?P<role>[^:(]+?)\s*(?:\((?P<name>[^)]*)\))?: ?(?P<content>.*)", re.DOTALL)

_wrappers = [*_DEFAULT_WRAPPERS]


def set_conversation_history_wrappers(*, start: str | None = None, end: str | None = None) -> None:
    """Choose what stands before and after a summary, for the whole process; None changes nothing."""
    for place, chosen in enumerate((start, end)):
        _wrappers[place] = _wrappers[place] if chosen is None else chosen


def reset_conversation_history_wrappers() -> None:
    """Go back to the usual text before and after a summary."""
    _wrappers[:] = _DEFAULT_WRAPPERS


def get_conversation_history_wrappers() -> tuple[str, str]:
    """What stands before and after a summary."""
    return _wrappers[0], _wrappers[1]


def default_handoff_history_mapper(
    transcript: list[TResponseInputItem],
) -> list[TResponseInputItem]:
    """A whole conversation as one message."""
    return [_message(cast("Transcript", transcript))]


def nest_handoff_history(
    handoff_input_data: HandoffInputData, *, history_mapper: HandoffHistoryMapper | None = None
) -> HandoffInputData:
    """The same conversation, with what came before the handoff folded into a summary.

    Messages of the turn that hands off, and input that was added meanwhile, stay as they are and in
    their place. `new_items` stays whole, for the caller and the session.

    Args:
        handoff_input_data: The conversation.
        history_mapper: Makes the next agent's input of the whole conversation instead.
    """
    data = handoff_input_data
    pieces = list(_pieces(data))
    if history_mapper is not None:
        everything = cast("list[TResponseInputItem]", [item for _, item in pieces])
        made = tuple(history_mapper(everything))
        return data.clone(input_history=made, pre_handoff_items=(), input_items=())
    history: list[Any] = []
    held: list[tuple[int, Any]] = []
    for is_kept, run in groupby(pieces, key=lambda piece: piece[0] is not None):
        items = list(run)
        history += [each for _, each in items] if is_kept else [_message([i for _, i in items])]
        held += [(_number(kept), item) for kept, item in items if kept is not None]
    history = history or [_message([])]
    return data.holding(
        tuple(held), input_history=tuple(history), pre_handoff_items=(), input_items=()
    )


def remove_all_tools(handoff_input_data: HandoffInputData) -> HandoffInputData:
    """The conversation without tools: no calls, no outputs, no handoffs, no reasoning about them."""
    data = handoff_input_data
    history = data.input_history
    return data.clone(
        input_history=history
        if isinstance(history, str)
        else tuple(_summary_without_tools(item) for item in history if not _is_tools(item)),
        pre_handoff_items=_without_items(data.pre_handoff_items),
        new_items=_without_items(data.new_items),
        input_items=None if data.input_items is None else _without_items(data.input_items),
    )


def _is_tools(item: object) -> bool:
    return field_of(item, "type") in _TYPES


def _summary_without_tools(item: object) -> Any:
    """A summary of a conversation without what tools stand in it; anything else as it is."""
    if not isinstance(item, dict):
        return item
    records = _unfolded(cast("dict[str, Any]", item))
    is_summary = len(records) != 1 or records[0] is not item
    if not is_summary or not any(map(_is_tools, records)):
        return cast("Any", item)
    return _message([record for record in records if not _is_tools(record)])


def _without_items(items: tuple[RunItem, ...]) -> tuple[RunItem, ...]:
    return tuple(item for item in items if isinstance(item, _WORDS))


def held_items(items: Sequence[RunItem]) -> tuple[tuple[int, Any], ...]:
    """What `HandoffInputData.held` says of items that stand in the history word for word."""
    return tuple((_number(item), _as_input(item)) for item in items)


def held_positions(data: HandoffInputData, items: Sequence[RunItem]) -> list[int]:
    """Which of a run's items stand in a nested history word for word.

    Whoever puts the history and the items together leaves these out. An item is recognised by being
    the one that was nested, or a copy of it, and by its words being still there; items that merely
    say the same are not.
    """
    words = list(data.input_history) if isinstance(data.input_history, tuple) else []
    left = list(data.held)
    found: list[int] = []
    for position, item in enumerate(items):
        number = item.__dict__.get(_NUMBER)
        known = next((each for each in left if each[0] == number), None)
        if known is not None and known[1] in words:
            left.remove(known)
            words.remove(known[1])
            found.append(position)
    return found


_NUMBER = "_nested_as"
_numbers = count(1)


def own_copy(item: RunItem) -> RunItem:
    """A copy of an item for a filter to change, which is recognised as the same item."""
    _number(item)
    twin = copy(item)
    twin.raw_item = copied(item.raw_item)
    return twin


def number_of(item: RunItem) -> int | None:
    """What tells a copy of an item that a filter was given; None of any other item."""
    return item.__dict__.get(_NUMBER)


def _number(item: RunItem) -> int:
    """What tells an item from all others and survives copying it."""
    return item.__dict__.setdefault(_NUMBER, next(_numbers))


def _pieces(data: HandoffInputData) -> Iterator[tuple[RunItem | None, dict[str, Any]]]:
    """All items, with the run's own item behind those that are to stay as they are."""
    history = data.input_history
    for each in ItemHelpers.input_to_new_input_list(
        history if isinstance(history, str) else list(history)
    ):
        for item in _unfolded(cast("dict[str, Any]", each)):
            yield None, item
    new = data.new_items if data.input_items is None else data.input_items
    for items, kept in (
        (data.pre_handoff_items, (InputItem, CompactionItem)),
        (new, _WORDS),
    ):
        for each in items:
            if not isinstance(each, ToolApprovalItem):
                yield (each if isinstance(each, kept) else None), _as_input(each)


def _as_input(item: RunItem) -> dict[str, Any]:
    made = cast("dict[str, Any]", deepcopy(item.to_input_item()))
    return {name: value for name, value in made.items() if name not in _NOTES}


# --- Writing. ----------------------------------------------------------------------------


def _message(transcript: Transcript) -> TResponseInputItem:
    lines = [f"{number}. {_record(item)}" for number, item in enumerate(transcript, 1)]
    start, end = _wrappers
    content = "\n".join([_INTRODUCTION, start, *(lines or [_NOTHING]), end])
    return {"role": "assistant", "content": content}


def _record(item: dict[str, Any]) -> str:
    """An item in one line: as a speaker's words if they fit, else as JSON."""
    role, content = item.get("role"), item.get("content")
    is_plain = content is None or (isinstance(content, str) and "\n" not in content)
    if isinstance(role, str) and is_plain:
        name = item.get("name")
        return f"{role} ({name}): {content or ''}" if name else f"{role}: {content or ''}"
    shown = {name: value for name, value in item.items() if name not in _NOTES}
    try:
        return json.dumps(shown, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(shown).replace("\n", " ")


# --- Reading summaries again, so that they do not nest. ----------------------------------


def _unfolded(item: dict[str, Any]) -> Transcript:
    """What a summary was made of; anything else as it is."""
    content = item.get("content")
    if item.get("role") != "assistant" or not isinstance(content, str):
        return [item]
    start, end = _wrappers
    opening, _, rest = content.partition(f"\n{start}\n")
    is_summary = opening.startswith(_OPENING) and "\n" not in opening and rest.endswith(end)
    if not is_summary:
        return [item]
    found = (_read(record) for record in _records(rest[: -len(end)]))
    return [each for each in found if each is not None]


def _records(body: str) -> list[str]:
    """The numbered records of a summary. A line without the next number belongs to the one before."""
    records: list[str] = []
    for line in body.split("\n"):
        numbered = _RECORD.match(line)
        if numbered is not None and int(numbered.group(1)) == len(records) + 1:
            records.append(line[numbered.end() :])
        elif records:
            records[-1] += f"\n{line}"
    return records


def _read(record: str) -> dict[str, Any] | None:
    record = record.rstrip()
    whole = _object(record)
    if whole is not None:
        return whole
    spoken = _SPEAKER.fullmatch(record)
    if spoken is None:
        return None
    role, name, content = (spoken.group(each) for each in ("role", "name", "content"))
    typed = _object(content)
    if typed is not None and typed.get("type") == role:  # Older summaries name the type before it.
        return typed
    return {"role": role, **({"name": name} if name else {}), "content": content}


def _object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if "role" in found or "type" in found or "content" in found else None
