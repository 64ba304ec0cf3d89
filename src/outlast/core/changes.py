"""Changes of a run's state that several events make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec.structs import replace

from outlast.core.events import Entry
from outlast.core.growing import Vector
from outlast.core.state import RunState, answered

T = TypeVar("T")


def finished(state: RunState, effect_id: str) -> RunState:
    """The effect is over: neither in flight nor in doubt."""
    if effect_id not in state.in_flight and effect_id not in state.in_doubt:
        return state
    return replace(
        state,
        in_flight=without(state.in_flight, effect_id),
        in_doubt=without(state.in_doubt, effect_id),
    )


def without(known: dict[str, T], key: str) -> dict[str, T]:
    """The same without ``key``; the very same if it has no such key."""
    if key not in known:
        return known
    return {other: value for other, value in known.items() if other != key}


def flushed(state: RunState) -> RunState:
    """The answers so far enter the conversation, in the order of their calls."""
    if not state.answers:
        return state
    return replace(with_entries(state, answered(state)), answers={})


def with_entries(state: RunState, added: list[Entry]) -> RunState:
    """``added`` stand at the end of the conversation, the caller's and the model's."""
    entries = state.entries.extended(added)
    is_shared = state.model_entries is state.entries
    model_entries = entries if is_shared else state.model_entries.extended(added)
    shell = state.has_shell_calls or has_shell_calls(added)
    return replace(state, entries=entries, model_entries=model_entries, has_shell_calls=shell)


def has_shell_calls(entries: Iterable[Entry]) -> bool:
    """Whether one of ``entries`` is a call of the shell."""
    return any(entry.item.get("type") == "shell_call" for entry in entries)


def without_open_calls(state: RunState) -> RunState:
    """A conversation that ends here has no call without an answer: no provider would take it."""
    dropped = set(state.open_calls)
    state = flushed(state)
    if not dropped:
        return state
    kept = [e for e in state.entries if e.item.get("call_id") not in dropped]
    return replace(state, entries=Vector(kept), model_entries=Vector(kept))
