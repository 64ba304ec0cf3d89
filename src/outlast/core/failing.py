"""What a failure means for its run: whether the run can go on, and how long it waits for a provider.

Pure, like the rest of the core: a failure is known by what the log keeps of it.
"""

from __future__ import annotations

from outlast.core.events import ErrorFacts
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


def raises_limit(state: RunState, limit: int | None) -> bool:
    """Whether ``limit`` lets the run make more turns than it was allowed."""
    if state.max_turns is None:
        return False
    return limit is None or limit > state.max_turns
