"""The state of a run that had failed, or waited for a provider, and goes on."""

from __future__ import annotations

from msgspec.structs import replace

from outlast.core.events import EffectFailed, EffectStarted, RunParked, RunUnparked
from outlast.core.ids import EffectId, effect_id
from outlast.core.state import RunState


def unrepeated(state: RunState) -> RunState:
    """What failed is open again, but for tools that may have taken effect."""
    tripped = state.tripped
    is_input = tripped is not None and tripped.stage == "input"
    return replace(
        state,
        tripped=None,
        open_checks=state.open_checks | {tripped.id} if tripped and is_input else state.open_checks,
        failures={},
        failed_attempts=(),
        parked={},
        cancel_requested=False,
        spent=state.spent | {key for key, failure in state.failures.items() if _is_spent(failure)},
    )


def repeated(state: RunState) -> RunState:
    """What failed is open again; a tool that had begun is in doubt, as if its process had died.

    A reply that names a tool that there is not stays: its call is answered so, and the model asked again.
    """
    doubts: dict[str, EffectStarted] = {}
    for call in state.open_calls.values():
        key = effect_id("tool", state.turn, call.id)
        if key in state.failures and state.failures[key].error.kind != "BudgetExceeded":
            number = state.attempts.get(key, 1)
            doubts[key] = EffectStarted(key, "tool", call.name, number, call.policy)
    return replace(
        state,
        failures={},
        failed_attempts=(),
        parked={},
        cancel_requested=False,
        in_doubt={**state.in_doubt, **doubts},
        repeated=state.repeated | state.failures.keys() | {state.reply.id if state.reply else ""},
    )


def _is_spent(failure: EffectFailed) -> bool:
    is_tool = EffectId.parse(failure.id).kind == "tool"
    return is_tool and failure.error.kind not in _BEFORE_TOOLS


_BEFORE_TOOLS = {"BudgetExceeded", "ModelBehaviorError", "ToolInputGuardrailTripwireTriggered"}
"""Errors that are raised before a tool begins."""


def parked(state: RunState, event: RunParked) -> RunState:
    """An effect waits for its provider; what it had begun is over."""
    ended = (event.id, event.of)
    return replace(
        state,
        parked={**state.parked, event.of: event},
        parks={**state.parks, event.of: event.number},
        in_flight={key: each for key, each in state.in_flight.items() if key not in ended},
        in_doubt={key: each for key, each in state.in_doubt.items() if key not in ended},
    )


def unparked(state: RunState, _: RunUnparked) -> RunState:
    """What has waited is asked again, and what is a run of its own goes on."""
    failures = {key: each for key, each in state.failures.items() if key not in state.parked}
    repeated = state.repeated | state.parked.keys()
    return replace(state, parked={}, failures=failures, failed_attempts=(), repeated=repeated)
