"""The fold of what enters the conversation from outside a turn: input, sessions, compaction."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from outlast.core.events import (
    Entry,
    HistoryCompacted,
    InputAdded,
    MessageReceived,
    SessionHeldBack,
    SessionLoaded,
    SessionSaved,
    SessionShortened,
)
from outlast.core.folds.effects import finished
from outlast.core.folds.table import Folds
from outlast.core.growing import Vector
from outlast.core.ids import check_id
from outlast.core.state import RunState, answered


def _inbox(state: RunState, event: InputAdded | MessageReceived) -> RunState:
    inbox = (*state.inbox, event)
    if not isinstance(event, InputAdded):
        return replace(state, inbox=inbox)
    count = len(event.guardrails.blocking) + len(event.guardrails.parallel)
    fresh = {check_id("input", n, state.turn + 1) for n in range(count)}
    staged = (*(state.staged if state.inbox else ()), event)
    return replace(state, inbox=inbox, staged=staged, open_checks=state.open_checks | fresh)


def _session_loaded(state: RunState, event: SessionLoaded) -> RunState:
    state = replace(state, head=event.head, new_input=event.new, is_loaded=True, loaded=event)
    return finished(state, event.id)


def _session_saved(state: RunState, event: SessionSaved) -> RunState:
    state = finished(replace(state, is_input_saved=True, holds_back=False), event.id)
    if event.is_last:
        # Answers stay apart: when the run goes on, all of the turn's come in the order of its calls.
        return replace(
            state,
            saved=min(event.upto, len(state.entries)),
            left_out=frozenset(state.open_calls),
            saved_ahead=frozenset(state.answers),
        )
    none: frozenset[str] = frozenset()
    return replace(flushed(state), saved=event.upto, left_out=none, saved_ahead=none)


def _session_held_back(state: RunState, event: SessionHeldBack) -> RunState:
    return finished(replace(state, holds_back=True, held_back=event.id), event.id)


def _session_shortened(state: RunState, event: SessionShortened) -> RunState:
    return finished(replace(state, shortened=event.upto), event.id)


def _compacted(state: RunState, event: HistoryCompacted) -> RunState:
    entries = event.history.model_entries or event.history.entries
    shell = has_shell_calls(entries)
    head = event.history.head
    return replace(state, head=head, model_entries=Vector(entries), has_shell_calls=shell)


def flushed(state: RunState) -> RunState:
    """The answers so far enter the conversation, in the order of their calls."""
    if not state.answers:
        return state
    return replace(with_entries(state, answered(state)), answers={})


def with_entries(state: RunState, added: list[Entry]) -> RunState:
    """The state with ``added`` at the end of the conversation."""
    entries = state.entries.extended(added)
    is_shared = state.model_entries is state.entries
    model_entries = entries if is_shared else state.model_entries.extended(added)
    shell = state.has_shell_calls or has_shell_calls(added)
    return replace(state, entries=entries, model_entries=model_entries, has_shell_calls=shell)


def has_shell_calls(entries: Iterable[Entry]) -> bool:
    """Whether a call of the shell is among ``entries``."""
    return any(entry.item.get("type") == "shell_call" for entry in entries)


FOLDS: Folds = {
    InputAdded: _inbox,
    MessageReceived: _inbox,
    SessionLoaded: _session_loaded,
    SessionSaved: _session_saved,
    SessionHeldBack: _session_held_back,
    SessionShortened: _session_shortened,
    HistoryCompacted: _compacted,
}
