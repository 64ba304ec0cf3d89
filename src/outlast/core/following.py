"""What may follow what: the places in a run's log at which an event means something.

    new ─RunStarted─▶ between ─TurnPrepared─▶ prepared ─ModelReplied─▶ acting ─the last answer─▶ answered
                         ▲                       ▲                                                  │
                         │                       └──────────────── TurnPrepared ────────────────────┤
                         └─RunReopened─ ended ◀──────── RunCompleted, RunFailed, RunCancelled ──────┘

`PLACES` has a row for every event: the phases in which it may come, and what has to be true of it
besides: that it is about what is open. An event anywhere else is kept, and `evolve` passes over it:
the second answer of a call, a reply of another turn, a decision about a call that nobody knows. So
a fact that arrives twice, or late, changes nothing, whoever wrote it.

An event that ends a run may follow another one: the last word counts. Old logs have such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    ApprovalWaived,
    BudgetRaised,
    BudgetWarned,
    CancelRequested,
    ChildCompleted,
    ChildStarted,
    CommandTaken,
    ContextPatched,
    EffectAccepted,
    EffectFailed,
    EffectLost,
    EffectStarted,
    Event,
    GuardrailChecked,
    HandedOff,
    HistoryCompacted,
    InputAdded,
    LastTurnBegun,
    LimitRaised,
    MessageReceived,
    ModelReplied,
    OutputBlocked,
    OutputProduced,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunCopied,
    RunFailed,
    RunForked,
    RunParked,
    RunPaused,
    RunReopened,
    RunStarted,
    RunUnparked,
    RunUnpaused,
    SessionHeldBack,
    SessionLoaded,
    SessionSaved,
    SessionShortened,
    StepRecorded,
    TimerFired,
    TimerSet,
    ToolReturned,
    TurnContinued,
    TurnPrepared,
    UnknownEvent,
    UsageAdded,
)
from outlast.core.ids import EffectId, effect_id
from outlast.core.state import RunState

Phase = Literal["new", "between", "prepared", "acting", "answered", "ended"]


def phase_of(state: RunState) -> Phase:
    """Where in its life a run is."""
    if state.started is None:
        return "new"
    if state.ended is not None:
        return "ended"
    if state.open_calls:
        return "acting"
    if state.reply is not None:
        return "answered"
    return "between" if state.prepared is None else "prepared"


def follows(state: RunState, event: Event) -> bool:
    """Whether ``event`` has a place in the log right after what ``state`` was folded from."""
    place = PLACES.get(type(event))
    if place is None:
        return False
    phases, is_open = place
    return phase_of(state) in phases and (is_open is None or is_open(state, event))


# --- What has to be open. ----------------------------------------------------------------


def _answers(state: RunState, event: ToolReturned | HandedOff | ApprovalWaived) -> bool:
    return event.call_id in state.open_calls


def _is_next_turn(state: RunState, event: TurnPrepared) -> bool:
    return event.id == effect_id("prepare", state.turn + 1)


def _is_next_reply(state: RunState, event: ModelReplied) -> bool:
    return event.id == effect_id("model", state.turn + 1)


def _may_begin(state: RunState, event: EffectStarted) -> bool:
    return _is_open(state, event.id)


def _may_park(state: RunState, event: RunParked) -> bool:
    return _is_open(state, event.of)


def _is_open(state: RunState, key: str) -> bool:
    position = EffectId.parse(key)
    if position.kind == "model":
        return position.turn > state.turn
    if position.kind in ("tool", "approval", "handoff"):
        return position.turn == state.turn and position.key in state.open_calls
    return True


def _may_ask(state: RunState, event: ApprovalRequested) -> bool:
    return (EffectId.parse(event.id).key if event.child else event.call_id) in state.open_calls


def _is_unanswered(state: RunState, event: GuardrailChecked) -> bool:
    if event.stage == "input":
        return event.id in state.open_checks
    if event.stage == "output":
        is_refused = state.tripped is not None and state.tripped.id == event.id
        return state.output is not None and event.id not in state.passed and not is_refused
    return event.call_id in state.open_calls


def _is_new_input(state: RunState, event: InputAdded | MessageReceived) -> bool:
    return event not in state.inbox


def _is_new_command(state: RunState, event: CommandTaken) -> bool:
    return event.id not in state.commands


def _has_no_output(state: RunState, _: OutputProduced) -> bool:
    return state.output is None


def _is_unloaded(state: RunState, _: SessionLoaded) -> bool:
    return not state.is_loaded


def _is_no_repetition(state: RunState, event: EffectFailed) -> bool:
    return state.failures.get(event.id) != event or event.id in state.in_flight


def _is_in_flight(state: RunState, event: EffectLost) -> bool:
    return event.id in state.in_flight


def _in(*phases: Phase) -> frozenset[Phase]:
    return frozenset(phases)


_LIVE = _in("between", "prepared", "acting", "answered")
_BEGUN = _LIVE | _in("ended")
_ANY = _BEGUN | _in("new")

PLACES: dict[type, tuple[frozenset[Phase], Callable[[RunState, Any], bool] | None]] = {
    RunStarted: (_in("new"), None),
    RunAcquired: (_BEGUN, None),
    RunCompleted: (_BEGUN, None),
    RunFailed: (_BEGUN, None),
    RunCancelled: (_BEGUN, None),
    RunAbandoned: (_LIVE, None),
    RunForked: (_BEGUN, None),
    RunCopied: (_BEGUN, None),
    RunParked: (_LIVE, _may_park),
    RunUnparked: (_LIVE, None),
    CancelRequested: (_LIVE, None),
    CommandTaken: (_BEGUN, _is_new_command),
    RunPaused: (_LIVE, None),
    RunUnpaused: (_LIVE, None),
    LimitRaised: (_BEGUN, None),
    RunReopened: (_in("ended"), None),
    InputAdded: (_BEGUN, _is_new_input),
    MessageReceived: (_BEGUN, _is_new_input),
    SessionLoaded: (_LIVE, _is_unloaded),
    SessionSaved: (_LIVE, None),
    SessionHeldBack: (_LIVE, None),
    SessionShortened: (_LIVE, None),
    ContextPatched: (_ANY, None),
    HistoryCompacted: (_LIVE, None),
    TurnPrepared: (_in("between", "prepared", "answered"), _is_next_turn),
    EffectStarted: (_LIVE, _may_begin),
    EffectAccepted: (_LIVE, None),
    EffectFailed: (_LIVE, _is_no_repetition),
    EffectLost: (_LIVE, _is_in_flight),
    ModelReplied: (_in("prepared"), _is_next_reply),
    ToolReturned: (_in("acting"), _answers),
    StepRecorded: (_LIVE, None),
    GuardrailChecked: (_LIVE, _is_unanswered),
    ApprovalRequested: (_in("acting"), _may_ask),
    ApprovalWaived: (_in("acting"), _answers),
    ApprovalDecided: (_BEGUN, None),
    ApprovalVoted: (_BEGUN, None),
    HandedOff: (_in("acting"), _answers),
    OutputProduced: (_LIVE, _has_no_output),
    TurnContinued: (_in("answered"), None),
    OutputBlocked: (_LIVE, None),
    TimerSet: (_ANY, None),
    TimerFired: (_LIVE, None),
    ChildStarted: (_LIVE, None),
    ChildCompleted: (_ANY, None),
    UsageAdded: (_BEGUN, None),
    BudgetWarned: (_LIVE, None),
    LastTurnBegun: (_LIVE, None),
    BudgetRaised: (_BEGUN, None),
    UnknownEvent: (_ANY, None),
}
"""Of every event: in which phases it may come, and the question whether it is about what is open."""
