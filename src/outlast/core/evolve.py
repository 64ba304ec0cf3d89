"""The fold of a run's events: from a log to a state.

`evolve(state, event)` is total: it never raises and never looks at anything but its arguments, so
any prefix of any log has a state. It believes what the log says; the codec has checked the shapes,
and a part that makes no sense (a setting of another type, a call that no item of its reply makes)
changes nothing.

How a turn moves: `TurnPrepared` opens it, `ModelReplied` fills `open_calls`, every answer moves a
call to `answers`, and when the last call is answered the answers enter the conversation in the
order of the calls, whatever order they ended in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalWaived,
    CancelRequested,
    ChildStarted,
    EffectAccepted,
    EffectFailed,
    EffectStarted,
    Entry,
    Event,
    GuardrailChecked,
    HandedOff,
    HistoryCompacted,
    InputAdded,
    Item,
    MessageReceived,
    ModelReplied,
    OutputBlocked,
    OutputProduced,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunForked,
    RunParked,
    RunReopened,
    RunStarted,
    RunUnparked,
    SessionLoaded,
    SessionSaved,
    StepRecorded,
    TimerFired,
    ToolReturned,
    TurnContinued,
    TurnPrepared,
    UsageAdded,
)
from outlast.core.growing import Vector
from outlast.core.items import entry_kind, invocation
from outlast.core.reopening import parked, repeated, unparked, unrepeated
from outlast.core.state import (
    Options,
    RunState,
    answered,
    approval_key,
    ask_id,
    check_id,
    idempotency_key,
    plus,
)

T = TypeVar("T")


def evolve(state: RunState, event: Event) -> RunState:
    """The state after ``event``."""
    fold = _FOLDS.get(type(event))
    return fold(state, event) if fold else state


def fold(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """The state after ``events``, oldest first."""
    state = state or RunState()
    for event in events:
        state = evolve(state, event)
    return state


_NO_OPTIONS = Options()


# --- The life of a run. ------------------------------------------------------------------


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
    return replace(state, in_doubt=doubt, in_flight={}, abandoned="")


def _with_options(options: Options, said: dict[str, Any]) -> Options:
    if not said:
        return options
    try:
        return msgspec.convert({**msgspec.to_builtins(options), **said}, Options)
    except msgspec.ValidationError:
        return options


def _failed(state: RunState, event: RunFailed) -> RunState:
    if event.error.kind == "InputGuardrailTripwireTriggered":
        # Whatever the first turn has done beside its guardrail does not count.
        nothing: Vector[Entry] = Vector()
        cleared = replace(state, entries=nothing, model_entries=nothing, answers={})
        return replace(cleared, ended=event, before_failure=state)
    return replace(_without_open_calls(state), ended=event, before_failure=state)


def _without_open_calls(state: RunState) -> RunState:
    """A conversation that ends here has no call without an answer: no provider would take it."""
    dropped = set(state.open_calls)
    state = _flushed(state)
    if not dropped:
        return state
    kept = [e for e in state.entries if e.item.get("call_id") not in dropped]
    return replace(state, entries=Vector(kept), model_entries=Vector(kept))


def _ended(state: RunState, event: RunCompleted | RunCancelled) -> RunState:
    before = state if state.open_calls else None
    return replace(_without_open_calls(state), ended=event, before_failure=before)


def _forked(state: RunState, event: RunForked) -> RunState:
    """A call that the run it comes from has open is the same call: it must not take effect twice."""
    open_calls = [f"t{state.turn}.{call_id}" for call_id in state.open_calls]
    keys = {key: idempotency_key(state, event.source, key) for key in open_calls}
    origins = {key: state.origins.get(key, event.source) for key in open_calls}
    return replace(state, keys={**state.keys, **keys}, origins={**state.origins, **origins})


def _reopened(state: RunState, event: RunReopened) -> RunState:
    limit = event.max_turns if event.has_limit else state.max_turns
    if state.before_failure:
        retried = repeated if event.repeats_tools else unrepeated
        return replace(retried(state.before_failure), max_turns=limit)
    return replace(
        state,
        ended=None,
        output=None,
        cancel_requested=False,
        is_settled=True,
        max_turns=limit,
        failures={},
    )


def _cancel_requested(state: RunState, _: CancelRequested) -> RunState:
    return replace(state, cancel_requested=True)


# --- Input. ------------------------------------------------------------------------------


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
    return _finished(state, event.id)


def _session_saved(state: RunState, event: SessionSaved) -> RunState:
    state = _finished(replace(state, is_input_saved=True), event.id)
    if event.is_last:
        # Answers stay apart: when the run goes on, all of the turn's come in the order of its calls.
        return replace(
            state,
            saved=min(event.upto, len(state.entries)),
            left_out=frozenset(state.open_calls),
            saved_ahead=frozenset(state.answers),
        )
    none: frozenset[str] = frozenset()
    return replace(_flushed(state), saved=event.upto, left_out=none, saved_ahead=none)


def _compacted(state: RunState, event: HistoryCompacted) -> RunState:
    entries = event.history.model_entries or event.history.entries
    shell = _has_shell_calls(entries)
    head = event.history.head
    return replace(state, head=head, model_entries=Vector(entries), has_shell_calls=shell)


# --- Turns. ------------------------------------------------------------------------------


def _prepared(state: RunState, event: TurnPrepared) -> RunState:
    added = [
        Entry(item, "input", state.agent, message.id)
        for message in state.inbox
        for item in message.items
    ]
    state = _with_entries(state, added) if added else state
    return replace(
        state,
        prepared=event,
        reply=None,
        inbox=(),
        activated=True,
        is_settled=False,
        handed_to="",
        requested={},
        decided={},
        waived=frozenset(),
        steps={},
        children={},
        in_flight=_without(state.in_flight, event.id),
        in_doubt=_without(state.in_doubt, event.id),
    )


def _effect_started(state: RunState, event: EffectStarted) -> RunState:
    return replace(
        state,
        in_flight={**state.in_flight, event.id: event},
        in_doubt=_without(state.in_doubt, event.id),
        failures=_without(state.failures, event.id),
        attempts={**state.attempts, event.id: event.attempt}
        if event.attempt > 1
        else state.attempts,
    )


def _effect_accepted(state: RunState, event: EffectAccepted) -> RunState:
    others = _without(state.accepted, event.id)
    return replace(state, accepted={**others, event.id: event} if event.response_id else others)


def _effect_failed(state: RunState, event: EffectFailed) -> RunState:
    attempt = state.in_flight.get(event.id)
    state = _finished(state, event.id)
    attempts = {**state.attempts, event.id: attempt.attempt if attempt else 1}
    return replace(state, failures={**state.failures, event.id: event}, attempts=attempts)


def _replied(state: RunState, event: ModelReplied) -> RunState:
    kinds = {call.index: call.kind for call in event.calls}
    added = [
        Entry(item, _kind(item, kinds.get(n)), event.agent, event.id)
        for n, item in enumerate(event.output)
    ]
    state = _with_entries(state, added)
    made = [call for call in event.calls if 0 <= call.index < len(event.output)]
    calls = {call.id: call for call in made}
    return replace(
        state,
        turn=state.turn + 1,
        reply=event,
        open_calls=calls,
        answers={},
        answered_upto=len(state.model_entries),
        response_id=event.response_id or state.response_id,
        usage=plus(state.usage, event.usage),
        seen_calls=state.seen_calls.added(
            (call.id, invocation(event.output[call.index])) for call in made
        ),
        tool_users=state.tool_users | {event.agent} if calls else state.tool_users,
        attempts={},
        parks={},
        accepted={},
        # What failed beside the model's call, such as a guardrail, has failed for good.
        failures=_without(state.failures, event.id),
        in_flight=_without(state.in_flight, event.id),
        in_doubt=_without(state.in_doubt, event.id),
    )


def _kind(item: Item, call: str | None) -> str:
    return "handoff_call" if call == "handoff" else entry_kind(item)


def _answered(state: RunState, event: ToolReturned | HandedOff) -> RunState:
    still_open = _without(state.open_calls, event.call_id)
    state = replace(
        state,
        open_calls=still_open,
        answers={**state.answers, event.call_id: event},
        in_flight=_without(state.in_flight, event.id),
        in_doubt=_without(state.in_doubt, event.id),
    )
    return state if still_open else _flushed(state)


def _handed_off(state: RunState, event: HandedOff) -> RunState:
    state = _answered(state, event)
    if event.history:
        entries = Vector(event.history.entries)
        seen = event.history.model_entries
        model_entries = entries if seen is None else Vector(seen)
        state = replace(
            state,
            head=event.history.head,
            entries=entries,
            model_entries=model_entries,
            saved=min(state.saved, len(entries)),
            has_shell_calls=_has_shell_calls(model_entries),
        )
    return replace(state, agent=event.to, handed_to=event.to, activated=False)


def _output(state: RunState, event: OutputProduced) -> RunState:
    if event.message:
        entry = Entry(event.message, "message", state.agent, event.id)
        state = _with_entries(state, [entry])
    return _finished(replace(state, output=event, passed=frozenset()), event.id)


def _continued(state: RunState, event: TurnContinued) -> RunState:
    return _finished(replace(state, is_settled=True), event.id)


def _blocked(state: RunState, event: OutputBlocked) -> RunState:
    def blocked(entry: Entry) -> Entry:
        is_it = entry.kind == "tool_output" and entry.item.get("call_id") == event.call_id
        return replace(entry, item=event.item, value=None) if is_it else entry

    entries = Vector([blocked(entry) for entry in state.entries])
    if state.model_entries is state.entries:
        return replace(state, entries=entries, model_entries=entries)
    # A handoff's filter made them differ: what it took from the model stays away from it.
    seen = Vector([blocked(entry) for entry in state.model_entries])
    return replace(state, entries=entries, model_entries=seen)


# --- Guardrails and approvals. -----------------------------------------------------------


def _checked(state: RunState, event: GuardrailChecked) -> RunState:
    state = _finished(replace(state, checks=state.checks.extended((event,))), event.id)
    if event.stage not in ("input", "output"):
        return state
    return replace(
        state,
        tripped=event if event.tripped and not state.tripped else state.tripped,
        open_checks=state.open_checks - {event.id},
        passed=state.passed if event.tripped else state.passed | {event.id},
    )


def _requested(state: RunState, event: ApprovalRequested) -> RunState:
    key = approval_key(event)
    decided = _without(state.decided, key)
    state = replace(state, requested={**state.requested, key: event}, decided=decided)
    # The tool stops until a person has spoken; the effect that asked is over too.
    return _finished(_finished(state, event.id), ask_id(event.id))


def _decided(state: RunState, event: ApprovalDecided) -> RunState:
    state = replace(
        _flushed(state),
        decided={**state.decided, approval_key(event): event},
        activated=False,
    )
    if not event.always:
        return state
    return replace(state, standing={**state.standing, (event.agent, event.name): event})


def _waived(state: RunState, event: ApprovalWaived) -> RunState:
    return _finished(replace(state, waived=state.waived | {event.call_id}), event.id)


# --- Timers, children, usage. ------------------------------------------------------------


def _fired(state: RunState, event: TimerFired) -> RunState:
    return _finished(replace(state, fired=state.fired | {event.id}), event.id)


def _step(state: RunState, event: StepRecorded) -> RunState:
    steps = {**state.steps.get(event.id, {}), event.name: event}
    return replace(state, steps={**state.steps, event.id: steps})


def _child(state: RunState, event: ChildStarted) -> RunState:
    if event.is_nested:
        return state
    return replace(state, children={**state.children, event.id: event.run_id})


def _usage(state: RunState, event: UsageAdded) -> RunState:
    return replace(state, usage=plus(state.usage, event.usage))


# --- What several folds share. -----------------------------------------------------------


def _finished(state: RunState, effect_id: str) -> RunState:
    if effect_id not in state.in_flight and effect_id not in state.in_doubt:
        return state
    return replace(
        state,
        in_flight=_without(state.in_flight, effect_id),
        in_doubt=_without(state.in_doubt, effect_id),
    )


def _without(known: dict[str, T], key: str) -> dict[str, T]:
    """The same without ``key``; the very same if it has no such key."""
    if key not in known:
        return known
    return {other: value for other, value in known.items() if other != key}


def _flushed(state: RunState) -> RunState:
    """The answers so far enter the conversation, in the order of their calls."""
    if not state.answers:
        return state
    return replace(_with_entries(state, answered(state)), answers={})


def _with_entries(state: RunState, added: list[Entry]) -> RunState:
    entries = state.entries.extended(added)
    is_shared = state.model_entries is state.entries
    model_entries = entries if is_shared else state.model_entries.extended(added)
    shell = state.has_shell_calls or _has_shell_calls(added)
    return replace(state, entries=entries, model_entries=model_entries, has_shell_calls=shell)


def _has_shell_calls(entries: Iterable[Entry]) -> bool:
    return any(entry.item.get("type") == "shell_call" for entry in entries)


_FOLDS: dict[type, Callable[[RunState, Any], RunState]] = {
    RunStarted: _started,
    RunAcquired: _acquired,
    RunCompleted: _ended,
    RunFailed: _failed,
    RunCancelled: _ended,
    RunAbandoned: lambda state, event: replace(state, abandoned=event.policy),
    RunForked: _forked,
    RunReopened: _reopened,
    RunParked: parked,
    RunUnparked: unparked,
    CancelRequested: _cancel_requested,
    InputAdded: _inbox,
    MessageReceived: _inbox,
    SessionLoaded: _session_loaded,
    SessionSaved: _session_saved,
    HistoryCompacted: _compacted,
    TurnPrepared: _prepared,
    EffectStarted: _effect_started,
    EffectAccepted: _effect_accepted,
    EffectFailed: _effect_failed,
    ModelReplied: _replied,
    ToolReturned: _answered,
    HandedOff: _handed_off,
    OutputProduced: _output,
    TurnContinued: _continued,
    OutputBlocked: _blocked,
    GuardrailChecked: _checked,
    ApprovalRequested: _requested,
    ApprovalDecided: _decided,
    ApprovalWaived: _waived,
    TimerFired: _fired,
    StepRecorded: _step,
    ChildStarted: _child,
    UsageAdded: _usage,
}
