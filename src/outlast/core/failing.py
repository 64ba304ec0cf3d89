"""What a failure means for its run: whether the run can go on, and how long it waits for a provider.

Pure, like the rest of the core: a failure is known by what the log keeps of it.
"""

from __future__ import annotations

from outlast.core.events import EffectFailed, ErrorFacts, RunParked
from outlast.core.state import RunState

_REFUSALS = {
    "InputGuardrailTripwireTriggered": "input guardrail",
    "OutputGuardrailTripwireTriggered": "output guardrail",
    "ToolInputGuardrailTripwireTriggered": "tool guardrail",
    "ToolOutputGuardrailTripwireTriggered": "tool guardrail",
}
"""Failures that are somebody's answer, and not an accident: asking again must not change it."""


def can_go_on(error: ErrorFacts) -> bool:
    """Whether a run that failed so may go on: what it failed of can pass, or can be mended."""
    return error.kind not in _REFUSALS and error.kind != "ModelRefusalError"


def why_final(run_id: str, error: ErrorFacts) -> str:
    """Why a run that failed so does not go on; empty if it can."""
    if error.kind == "ModelRefusalError":
        refused = "was ended by the model, which refused to answer"
    elif error.kind in _REFUSALS:
        name = error.data.get("guardrail")
        by = f"{_REFUSALS[error.kind]} {name!r}" if name else f"a {_REFUSALS[error.kind]}"
        refused = f"was refused by {by}"
    else:
        return ""
    return f"Run {run_id!r} {refused}; that does not change. Start a new run."


def parks(state: RunState, failure: EffectFailed) -> bool:
    """Whether the run waits for the provider that failed so, and no process with it."""
    return failure.is_outage and (state.options.parks or failure.retry_at is not None)


FIRST_PARK_S, LONGEST_PARK_S = 30.0, 3600.0


def park_wait(number: int) -> float:
    """How long a run waits for its provider the ``number``-th time in a row, in seconds."""
    return min(LONGEST_PARK_S, FIRST_PARK_S * 2.0 ** min(number - 1, 16))


_SLACK_S = 60.0
"""By how much the clocks of two processes may differ."""


def is_due(event: RunParked, now: float) -> bool:
    """Whether the wait is over, or was written by a clock that was wrong."""
    set_at = event.until - event.wait_s
    return now >= event.until or now < set_at - _SLACK_S


def raises_limit(state: RunState, limit: int | None) -> bool:
    """Whether ``limit`` lets the run make more turns than it was allowed."""
    if state.max_turns is None:
        return False
    return limit is None or limit > state.max_turns
