"""The fold of a run's life: begun, taken over, ended, reopened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from outlast.core.events import (
    Entry,
    MessageReceived,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunCopied,
    RunFailed,
    RunForked,
    RunParked,
    RunReopened,
    RunStarted,
    RunUnparked,
)
from outlast.core.folds.conversation import flushed
from outlast.core.folds.reopening import parked, repeated, unparked, unrepeated
from outlast.core.folds.table import Folds
from outlast.core.growing import Vector
from outlast.core.ids import check_id, effect_id
from outlast.core.state import Options, RunState, idempotency_key

_NO_OPTIONS = Options()


def _started(state: RunState, event: RunStarted) -> RunState:
    names = event.guardrails
    count = len(names.blocking) + len(names.parallel)
    return replace(
        state,
        started=event,
        options=_with_options(_NO_OPTIONS, event.options),
        max_turns=event.max_turns,
        agent=event.agent,
        head=event.input,
        new_input=event.input,
        open_checks=frozenset(check_id("input", n) for n in range(count)),
    )


def _acquired(state: RunState, event: RunAcquired) -> RunState:
    if event.options:
        state = replace(state, options=_with_options(state.options, event.options))
    if event.ending and state.prepared:
        state = replace(state, prepared=replace(state.prepared, ending=event.ending))
    if event.has_limit:
        state = replace(state, max_turns=event.max_turns)
    doubt = {**state.in_doubt, **state.in_flight}
    return replace(state, in_doubt=doubt, in_flight={}, abandoned="", held_back="")


def _with_options(options: Options, said: dict[str, Any]) -> Options:
    if not said:
        return options
    try:
        return msgspec.convert({**msgspec.to_builtins(options), **said}, Options)
    except msgspec.ValidationError:
        return options


def _failed(state: RunState, event: RunFailed) -> RunState:
    is_late = any(isinstance(message, MessageReceived) for message in state.staged)
    if event.error.kind == "InputGuardrailTripwireTriggered" and not is_late:
        # Whatever the first turn has done beside its guardrail does not count.
        nothing: Vector[Entry] = Vector()
        cleared = replace(state, entries=nothing, model_entries=nothing, answers={})
        return replace(cleared, ended=event, before_failure=_before_end(state))
    return replace(_without_open_calls(state), ended=event, before_failure=_before_end(state))


def _before_end(state: RunState) -> RunState | None:
    """What the run was before it ended; of two ends in a row, before the first."""
    return state.before_failure if state.ended else state


def _without_open_calls(state: RunState) -> RunState:
    """A conversation that ends here has no call without an answer: no provider would take it."""
    dropped = set(state.open_calls)
    state = flushed(state)
    if not dropped:
        return state
    return _filtered(state, lambda _, each: str(each.item.get("call_id")) not in dropped)


def _filtered(state: RunState, stays: Callable[[int, Entry], bool]) -> RunState:
    """The conversation without some of its entries."""

    def kept(entries: Vector[Entry]) -> Vector[Entry]:
        return Vector([each for n, each in enumerate(entries) if stays(n, each)])

    entries = kept(state.entries)
    is_shared = state.model_entries is state.entries
    return replace(
        state,
        entries=entries,
        model_entries=entries if is_shared else kept(state.model_entries),
    )


def _ended(state: RunState, event: RunCompleted | RunCancelled) -> RunState:
    if isinstance(event, RunCancelled) and event.mode == "after_turn" and not state.reply:
        # Whoever asked has not seen the turn that had begun: if the run goes on, it begins anew.
        state = replace(state, prepared=None, in_flight={}, in_doubt={}, accepted={})
    before = _before_end(state) if state.open_calls else None
    reply = state.reply
    if isinstance(event, RunCancelled) and reply and len(state.open_calls) == len(reply.calls) > 0:
        # Nothing of the turn was done: what the model said beside the calls does not stay alone.
        state = _filtered(state, lambda n, each: n < state.saved or each.source != reply.id)
    return replace(_without_open_calls(state), ended=event, before_failure=before)


def _forked(state: RunState, event: RunForked) -> RunState:
    """A call that the run it comes from has open is the same call: it must not take effect twice."""
    open_calls = [effect_id("tool", state.turn, call_id) for call_id in state.open_calls]
    keys = {key: idempotency_key(state, event.source, key) for key in open_calls}
    origins = {key: state.origins.get(key, event.source) for key in open_calls}
    return replace(
        _related(state, event.source),
        keys={**state.keys, **keys},
        origins={**state.origins, **origins},
    )


def _related(state: RunState, run_id: str) -> RunState:
    before = state.before_failure
    return replace(
        state,
        relatives=state.relatives | {run_id},
        before_failure=before and _related(before, run_id),
    )


def _reopened(state: RunState, event: RunReopened) -> RunState:
    limit = event.max_turns if event.has_limit else state.max_turns
    if state.before_failure:
        retried = repeated if event.repeats_tools else unrepeated
        fresh = retried(state.before_failure)
        told = {"commands": state.commands, "top_ups": state.top_ups}
        return replace(fresh, max_turns=limit, paused=None, last_turns=frozenset(), **told)
    return replace(
        state,
        ended=None,
        output=None,
        cancel_requested=False,
        paused=None,
        is_settled=True,
        max_turns=limit,
        failures={},
        failed_attempts=(),
    )


FOLDS: Folds = {
    RunStarted: _started,
    RunAcquired: _acquired,
    RunCompleted: _ended,
    RunFailed: _failed,
    RunCancelled: _ended,
    RunAbandoned: lambda state, event: replace(state, abandoned=event.policy),
    RunForked: _forked,
    RunCopied: lambda state, event: _related(state, event.run_id),
    RunReopened: _reopened,
    RunParked: parked,
    RunUnparked: unparked,
}
