"""What a run needs next. Pure: no I/O, no clock, no engine, no look at live agents.

`decide(state)` is called after every event. It returns everything that the run needs now, also
what is already in flight; `drive` works out the difference. No effect means that the run is over
or waits for somebody else.
"""

from __future__ import annotations

from outlast.core.effects import (
    AskApproval,
    CallModel,
    CheckGuardrail,
    Conclude,
    Effect,
    HandOff,
    LoadSession,
    Park,
    Prepare,
    Record,
    Recover,
    RunTool,
    SaveSession,
    Wait,
)
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    Call,
    ChildCompleted,
    ChildStarted,
    EffectFailed,
    EffectStarted,
    ErrorFacts,
    Event,
    GuardrailChecked,
    OutputProduced,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepRecorded,
    ToolReturned,
    UsageAdded,
)
from outlast.core.failing import parks
from outlast.core.ids import END, EffectId, approval_id, check_id, check_place, effect_id, timer_id
from outlast.core.items import invocation, last_message, refusal_of, text_of, tool_text
from outlast.core.saving import input_save, pause_save, saving, shorten, unsaved
from outlast.core.state import RunState, approval_key, guardrail_of, input_checks, open_doubt

UNKNOWN_OUTCOME = (
    "The outcome of this call is unknown: the process stopped while it ran, and the tool says "
    "that it must not run twice. Check whether it took effect before you rely on it."
)
ALREADY_EXECUTED = (
    "The tool call {} of {!r} was already executed and failed: it is not executed again, for it may "
    "have taken effect. Start a new run."
)
IGNORED_HANDOFF = "Multiple handoffs detected, ignoring this one."


def decide(state: RunState) -> list[Effect]:
    """Every effect that the run needs now, in the order in which to begin them."""
    if state.paused:  # What runs may end, and nothing else happens: not even the run's own end.
        return [
            each for each in _wanted(state) if each.id in state.in_flight and each.kind != "timer"
        ]
    return _wanted(state)


def _wanted(state: RunState) -> list[Effect]:
    if not state.started or state.ended:
        return []
    if error := _fatal(state):
        return _fail(state, error)
    if state.options.session and not state.is_loaded:
        return [LoadSession(id=effect_id("session", 0, "load"), name="load")]
    if owed := input_save(state):
        return owed
    if not state.open_checks:
        return _turn(state, is_checked=True)
    checks = _input_checks(state, state.started)
    blocking = [check for check in checks if check.index < _blocking(state, check)]
    return [*blocking] or [*checks, *_turn(state, is_checked=False)]


def leaves_wishes(state: RunState, event: Event) -> bool:
    """Whether the run wants after ``event`` what it wants now, but for the effect that the event ends.

    So it is where one of several calls in flight ends: nothing waits for it in particular. Deciding
    again would look at all the others. False says nothing.
    """
    if isinstance(event, StepRecorded | ChildStarted | ChildCompleted | UsageAdded):
        return True
    if isinstance(event, GuardrailChecked):
        return event.stage not in ("input", "output")
    if isinstance(event, ToolReturned):
        effect = event.id
    elif isinstance(event, ApprovalRequested) and not event.child:
        effect = approval_id(event.id)
    else:
        return False
    call = state.open_calls.get(event.call_id)
    if call is None or call.lane or effect not in state.in_flight or len(state.in_flight) == 1:
        return False
    is_stopped = state.failures or state.tripped or state.spent or state.ended
    return not (is_stopped or state.open_checks or state.in_doubt or _has_limit(state))


def _has_limit(state: RunState) -> bool:
    return state.options.max_parallel_calls is not None


# --- Failing. ----------------------------------------------------------------------------


def _fatal(state: RunState) -> ErrorFacts | None:
    # A guardrail's own error comes last: who is told of it believes that the rest was saved.
    if state.failures:
        for failure in sorted(state.failures.values(), key=_is_check):
            if failure.retry_at is None and not parks(state, failure):
                return failure.error
    if state.tripped:
        return _tripped(state.tripped)
    for call in state.open_calls.values() if state.spent else ():
        if effect_id("tool", state.turn, call.id) in state.spent:
            return ErrorFacts("ModelBehaviorError", ALREADY_EXECUTED.format(call.id, call.name))
    if state.reply and not _forgives_unknown(state, state.reply.id):
        for call in state.open_calls.values():
            if call.kind == "unknown":
                text = f"Tool {call.qualified_name} not found in agent {state.agent}"
                return ErrorFacts("ModelBehaviorError", text, state.reply.id)
    return None


def _forgives_unknown(state: RunState, reply: str) -> bool:
    """Whether a call of a tool that there is not is told to the model: also once the run goes on after it."""
    return state.options.forgive_unknown_tools or reply in state.repeated


def _is_check(failure: EffectFailed) -> bool:
    return EffectId.parse(failure.id).kind == "guardrail"


def _tripped(check: GuardrailChecked) -> ErrorFacts:
    side = "Input" if check.stage == "input" else "Output"
    return ErrorFacts(
        f"{side}GuardrailTripwireTriggered",
        f"Guardrail {side}Guardrail triggered tripwire",
        check.id,
        {"guardrail": check.name},
    )


def _fail(state: RunState, error: ErrorFacts) -> list[Effect]:
    """A failed run keeps in its session what it has finished."""
    is_session_broken = any(EffectId.parse(key).kind == "session" for key in state.failures)
    if state.options.session and state.is_loaded and not is_session_broken:
        if owed := input_save(state):
            return owed
        is_trip = error.kind == "InputGuardrailTripwireTriggered" or _is_input_check(error.source)
        entries = len(state.entries) + len(state.answers) - len(state.saved_ahead)
        if error.kind == "OutputGuardrailTripwireTriggered":
            entries -= _refused_messages(state)
        if not is_trip and entries > state.saved and not _is_retried_whole(state):
            key = effect_id("session", state.turn, "fail")
            save = SaveSession(id=key, name="save", upto=entries, is_last=True)
            if saves := saving(state, save):
                return saves
        if state.output and (shortening := shorten(state)):
            return shortening
    return [_record(END, RunFailed(error))]


def _is_retried_whole(state: RunState) -> bool:
    """Whether the turn that fails has waited for a person: what it has done is saved with the rest of it."""
    return bool(state.requested) and state.output is None


def _is_input_check(key: str) -> bool:
    """Whether a guardrail failed before which nothing that the first turn did counts."""
    place = EffectId.parse(key)
    return place.kind == "guardrail" and place.turn == 1 and check_place(key)[0] == "in"


def _refused_messages(state: RunState) -> int:
    """How many entries at the end are the output that a guardrail refused."""
    if not state.output or not state.reply or state.output.kind == "tool":
        return 0
    return 1 if state.output.message else len(state.reply.output)


# --- Guardrails. -------------------------------------------------------------------------


def _input_checks(state: RunState, started: RunStarted) -> list[CheckGuardrail]:
    open_checks = sorted((check_place(key)[1], key) for key in state.open_checks)
    return [
        CheckGuardrail(
            id=key,
            name=guardrail_of(state, key)[0],
            agent=started.agent,
            stage="input",
            index=index,
        )
        for index, key in open_checks
    ]


def _blocking(state: RunState, check: CheckGuardrail) -> int:
    """How many guardrails end before anything else starts, of those that ``check`` is among."""
    return len(input_checks(state, check.id).blocking)


def _output_checks(state: RunState, output: OutputProduced) -> list[CheckGuardrail]:
    return [
        CheckGuardrail(id=key, name=name, agent=state.agent, stage="output", index=index)
        for index, name in enumerate(output.guardrails)
        if (key := check_id("output", index, state.turn)) not in state.passed
    ]


def open_checks(state: RunState) -> list[CheckGuardrail]:
    """Every guardrail that has still to answer about the run's input or its output."""
    assert state.started
    found = _input_checks(state, state.started)
    return [*found, *_output_checks(state, state.output)] if state.output else found


def pending_output(state: RunState) -> tuple[str, str] | None:
    """The text that is to become the run's output, and the type that the model made it for.

    None where there is none, or where nobody has to read it any more.
    """
    output, reply = state.output, state.reply
    if reply is None:
        return None
    if output is not None:
        is_open = output.kind == "structured" and _output_checks(state, output)
        return (str(output.output), reply.output_type) if is_open else None
    message = last_message(reply.output)
    if reply.calls or not _may_end(state) or message is None or refusal_of(message) is not None:
        return None
    text = text_of(message)
    return (text, reply.output_type) if text else None


def needs_tool(state: RunState, call: Call) -> bool:
    """Whether the answer to an open call takes the tool, or the handoff, that it means."""
    key = effect_id("tool", state.turn, call.id)
    doubt = open_doubt(state, key)
    if call.kind in ("unknown", "hosted") or (doubt and doubt.policy == "once"):
        return False
    if call.kind == "handoff":
        first = next(each for each in state.open_calls.values() if each.kind == "handoff")
        return first is call
    is_asked = call.id in state.requested or call.approval != "no"
    decision = state.decided.get(call.id) or standing(state, call)
    return not (is_asked and decision and not decision.approved)


# --- Turns. ------------------------------------------------------------------------------


def _turn(state: RunState, *, is_checked: bool) -> list[Effect]:
    may_act = is_checked or not state.options.hold_side_effects
    if state.output:
        return _finish(state, state.output) if is_checked else []
    if state.prepared and not state.reply:
        if state.cancel_requested and state.last_turn is not None and state.turn >= state.last_turn:
            return [_record("end", RunCancelled("after_turn"))]
        return _model_call(state)
    if state.open_calls:
        return _calls(state) if may_act else []
    if not is_checked and state.turn:
        return []
    if state.reply and _may_end(state):
        return _conclusion(state)
    return _next_turn(state)


def _may_end(state: RunState) -> bool:
    if not state.reply or state.is_settled or state.handed_to or state.inbox:
        return False
    if state.reply.is_replay and not state.reply.calls:
        return False
    return not state.reply.calls or bool(state.prepared and state.prepared.tools_may_end)


def _conclusion(state: RunState) -> list[Effect]:
    reply, prepared = state.reply, state.prepared
    assert reply
    key = effect_id("conclude", state.turn)
    if prepared and prepared.ending == "text" and not reply.calls:
        message = last_message(reply.output)
        if message and refusal_of(message) is None:
            return [_record(key, OutputProduced(id=key, output=text_of(message)))]
    return [Conclude(id=key, agent=state.agent)]


def _finish(state: RunState, output: OutputProduced) -> list[Effect]:
    if checks := _output_checks(state, output):
        return [*checks]
    return unsaved(state) or [_record(END, RunCompleted())]


def _next_turn(state: RunState) -> list[Effect]:
    if saves := unsaved(state):
        return saves
    if state.cancel_requested and state.turn:  # Whoever asks before the first turn means that one.
        return [_record(END, RunCancelled("after_turn"))]
    if state.max_turns is not None and state.turn >= state.max_turns:
        return _limit_reached(state, state.max_turns)
    key = effect_id("prepare", state.turn + 1)
    return [Prepare(id=key, agent=state.agent, activation=not state.activated)]


def _limit_reached(state: RunState, limit: int) -> list[Effect]:
    data = {"max_turns": limit}
    error = ErrorFacts("MaxTurnsExceeded", f"Max turns ({limit}) exceeded", data=data)
    if state.options.recover_max_turns:
        key = effect_id("recover", state.turn)
        return [Recover(id=key, agent=state.agent, error=error)]
    return _fail(state, error)


def _model_call(state: RunState) -> list[Effect]:
    key = effect_id("model", state.turn + 1)
    if key in state.parked:
        return []
    failure = state.failures.get(key)
    if failure and parks(state, failure):
        return [_park(state, failure)]
    if failure and (pause := _pause(state, failure)):
        return [pause]
    return [CallModel(id=key, agent=state.agent)]


def _park(state: RunState, failure: EffectFailed) -> Effect:
    number = state.parks.get(failure.id, 0) + 1
    return Park(
        id=timer_id("park", failure.id, number),
        of=failure.id,
        number=number,
        at_least_s=failure.wait_s or 0.0,
        is_exact=failure.retry_at is not None,
    )


def _pause(state: RunState, failure: EffectFailed) -> Effect | None:
    timer = timer_id("wait", failure.id, state.attempts.get(failure.id, 1))
    if failure.retry_at is None or timer in state.fired:
        return None
    return Wait(id=timer, at=failure.retry_at, longest_s=failure.wait_s)


# --- Calls. ------------------------------------------------------------------------------


def _calls(state: RunState) -> list[Effect]:
    """What the open calls need. Handoffs come last: they end the agent's turn."""
    wanted: list[Effect] = []
    lanes: set[str] = set()
    asking = _asking(state)
    handoffs = [call for call in state.open_calls.values() if call.kind == "handoff"]
    for call in state.open_calls.values():
        if call.kind == "handoff" or call.lane in lanes:
            continue
        if call.lane:
            lanes.add(call.lane)
        if effect := _call(state, call, asking):
            wanted.append(effect)
    limit = state.options.max_parallel_calls
    if limit is not None:
        wanted = wanted[:limit]
    if len(handoffs) == len(state.open_calls):
        return _handoffs(state, handoffs)
    return wanted or pause_save(state)


def _asking(state: RunState) -> set[str]:
    """The tool effects whose own runs wait for a person."""
    requests = [each for each in state.requested.values() if each.child]
    return {each.id for each in requests if approval_key(each) not in state.decided}


def _handoffs(state: RunState, handoffs: list[Call]) -> list[Effect]:
    first, *others = handoffs
    if others:
        last = others[-1]
        key = effect_id("handoff", state.turn, last.id)
        item = tool_text(last.id, IGNORED_HANDOFF)
        return [_record(key, ToolReturned(key, last.id, item, "ignored", last.name))]
    key = effect_id("handoff", state.turn, first.id)
    return [HandOff(id=key, name=first.name, agent=state.agent, call=first)]


def _call(state: RunState, call: Call, asking: set[str]) -> Effect | None:
    key = effect_id("tool", state.turn, call.id)
    if key in state.parked:
        return None
    if (doubt := open_doubt(state, key)) and (effect := _doubtful(state, call, doubt)):
        return effect
    if call.kind == "unknown":
        return _tool(state, key, call, "unknown")
    if key in asking:
        return None
    if call.approval == "no" or call.id in state.waived:
        if call.id not in state.requested:
            return _tool(state, key, call)
    elif call.id not in state.requested:
        asked = standing(state, call)
        if asked is None:
            name = call.name
            return AskApproval(id=approval_id(key), name=name, agent=state.agent, call=call)
        return _tool(state, key, call, "run" if asked.approved else "rejected")
    return _by_decision(state, key, call)


def _by_decision(state: RunState, key: str, call: Call) -> Effect | None:
    decision = state.decided.get(call.id)
    if decision is None and not state.requested[call.id].question:
        decision = standing(state, call)
    if not decision:
        return None
    if state.requested[call.id].reason == "in_doubt" and not decision.approved:
        return _outcome_unknown(key, call)
    return _tool(state, key, call, "run" if decision.approved else "rejected")


def standing(state: RunState, call: Call) -> ApprovalDecided | None:
    """The decision that holds for all calls of the tool that ``call`` names, if there is one."""
    return state.standing.get((state.agent, call.scoped_name))


def _tool(state: RunState, key: str, call: Call, verdict: str = "run") -> Effect:
    return RunTool(
        id=key,
        name=call.name,
        policy=call.policy,
        agent=state.agent,
        call=call,
        verdict=verdict,  # pyright: ignore[reportArgumentType]  # one of the three literals above
    )


def _doubtful(state: RunState, call: Call, doubt: EffectStarted) -> Effect | None:
    if doubt.policy == "once":
        return _outcome_unknown(doubt.id, call)
    if doubt.policy != "ask":
        return None
    asked = state.requested.get(call.id)
    if asked and asked.reason == "in_doubt" and asked.number == doubt.attempt:
        return None
    assert state.reply
    request = ApprovalRequested(
        id=doubt.id,
        call_id=call.id,
        agent=state.agent,
        name=call.name,
        fingerprint=invocation(state.reply.output[call.index]),
        reason="in_doubt",
        number=doubt.attempt,
    )
    return _record(doubt.id, request)


def _outcome_unknown(key: str, call: Call) -> Record:
    item = tool_text(call.id, UNKNOWN_OUTCOME)
    return _record(key, ToolReturned(key, call.id, item, "unknown", call.name))


def _record(key: str, event: Event) -> Record:
    return Record(id=key, event=event)
