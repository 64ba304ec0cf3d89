"""Replies that ask for too much: more calls than a run may make at once, or the same one for ever."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.core.errors import ModelLoopDetected, TooManyToolCalls
from outlast.core.events import Call, Item
from outlast.core.items import call_id
from outlast.core.state import RunState
from outlast.definitions.limits import ModelLimits

_WINDOW = 16  # Entries looked at for each repetition: a turn may have other calls as well.


def check_excess(
    state: RunState, output: Sequence[Item], calls: Sequence[Call], limits: ModelLimits
) -> None:
    """Refuse a reply whose calls go beyond ``limits``.

    Raises:
        TooManyToolCalls: It has too many calls.
        ModelLoopDetected: A call has been made, and been answered the same, too often.
    """
    if limits.tool_calls is not None and len(calls) > limits.tool_calls:
        raise TooManyToolCalls(
            f"The model asked for {len(calls):,} tool calls in one reply, more than the "
            f"{limits.tool_calls:,} that ModelLimits(tool_calls=...) allows. None of them was run."
        )
    bound = limits.same_calls
    if bound is None or state.turn < bound:
        return
    for call in calls:
        if call.kind == "function" and _repetitions(state, output[call.index], bound) >= bound:
            raise ModelLoopDetected(
                f"The model called {call.name!r} with the same arguments and was answered the same "
                f"{bound} times, and calls it again. If that is as it should be, raise "
                "RunConfig(model_limits=ModelLimits(same_calls=...))."
            )


def _repetitions(state: RunState, item: Item, bound: int) -> int:
    """How often in a row the call ``item`` was made before and had the same result."""
    entries = state.model_entries
    results: dict[str, object] = {}
    found: list[object] = []
    for entry in reversed(entries.since(max(0, len(entries) - _WINDOW * bound))):
        past = entry.item
        if past.get("type") == "function_call_output":
            results[call_id(past)] = past.get("output")
        elif _is_same(past, item):
            result = results.get(call_id(past))
            if found and result != found[0]:
                break
            found.append(result)
    return len(found)


def _is_same(past: Item, item: Item) -> bool:
    names = ("type", "name", "namespace", "arguments")
    return all(past.get(name) == item.get(name) for name in names)
