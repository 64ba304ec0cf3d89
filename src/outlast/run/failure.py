"""The exception that a failed run raises: the same for whoever asks, however often, in any process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outlast.core import errors
from outlast.core.errors import AgentsException
from outlast.core.events import ErrorFacts
from outlast.core.failing import why_final
from outlast.core.ids import EffectId
from outlast.core.state import RunState, blocked_output, guardrail_of
from outlast.definitions.clock import wall_s
from outlast.definitions.guardrail import (
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailResult,
    OutputGuardrail,
    OutputGuardrailResult,
)
from outlast.definitions.tool_guardrail import (
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolOutputGuardrail,
)
from outlast.effects.error_values import unplain
from outlast.effects.failures import error_of, note_once
from outlast.effects.guardrail import check_result
from outlast.engine.env import RunEnv
from outlast.run.result import details


def failure(env: RunEnv, facts: ErrorFacts, *, goes_on: bool = False) -> Exception:
    """The exception of a failed run: the very one that was raised, if this process saw it.

    Args:
        env: The run.
        facts: What its log says of the failure.
        goes_on: Whether the caller wants the run to go on. Where it cannot, the error says why.
    """
    error = env.live.errors.get(facts.source)
    tripped = env.log.state.tripped
    if error is None and tripped is not None and tripped.id == facts.source:
        error = getattr(errors, facts.kind)(check_result(env, tripped))
    if error is None and facts.kind in _TRIPPED:
        error = _TRIPPED[facts.kind](env, facts)
    if error is None:
        error = error_of(facts)
    is_blocked = blocked_output(env.log.state) is not None  # Nobody is to see what there was.
    if isinstance(error, AgentsException) and error.run_data is None and not is_blocked:
        error.run_data = details(env)
    if error.__context__ is None and error.__cause__ is None:
        error.__context__ = _other_failure(env, error)
    notes = [_which_guardrail(env.log.state, facts)]
    notes += [why_final(env.log.run_id, facts)] if goes_on else []
    for note in notes:
        if note:
            note_once(error, note)
    return error


def _which_guardrail(state: RunState, facts: ErrorFacts) -> str:
    """Which of the guardrails it was; empty if it was none. openai-agents' messages name their class."""
    name = facts.data.get("guardrail") or ""
    if state.tripped is not None and state.tripped.id == facts.source:
        name = state.tripped.name
    elif EffectId.parse(facts.source).kind == "guardrail":
        name = guardrail_of(state, facts.source)[0]
    return f"The guardrail is {name!r}." if name else ""


def parked(run_id: str, state: RunState) -> errors.RunParked:
    """What a run raises that waits for a provider."""
    first = min(state.parked.values(), key=lambda each: each.until)
    failed = state.failures.get(first.of)
    why = failed.error.kind if failed else "a run inside it waits"
    return errors.RunParked(run_id, first.until, why, max(0.0, first.until - wall_s()))


def paused(run_id: str, state: RunState) -> errors.RunIsPaused:
    """What a run raises that somebody has paused."""
    by, why = (state.paused.by, state.paused.why) if state.paused else ("", "")
    who = f" by {by!r}" if by else ""
    error = errors.RunIsPaused(
        f"Run {run_id!r} is paused{who}. Nothing is lost; Runner.resume goes on with it."
    )
    error.run_id, error.by, error.why = run_id, by, why
    return error


def _other_failure(env: RunEnv, error: Exception) -> Exception | None:
    """What else failed, such as a guardrail before the session that could not be written."""
    known = (env.live.errors.get(key) for key in env.log.state.failures)
    others = (each for each in known if each is not None and each is not error)
    return next((each for each in others if each.__context__ is not error), None)


# --- Guardrails that tripped, made again from the log. -----------------------------------


def _gone(*_: object) -> Any:
    raise errors.UserError("This guardrail is what a log says of it. Ask the program's own.")


def _input_tripped(env: RunEnv, facts: ErrorFacts) -> Exception:
    guardrail = InputGuardrail(_gone, name=facts.data.get("guardrail", ""))
    output = GuardrailFunctionOutput(_info(facts), True)  # upstream's positions
    del env
    return errors.InputGuardrailTripwireTriggered(InputGuardrailResult(guardrail, output))


def _output_tripped(env: RunEnv, facts: ErrorFacts) -> Exception:
    guardrail = OutputGuardrail(_gone, name=facts.data.get("guardrail", ""))
    output = GuardrailFunctionOutput(_info(facts), True)  # upstream's positions
    agent = env.agents.named(env.log.state.agent)
    result = OutputGuardrailResult(guardrail, None, agent, output)
    return errors.OutputGuardrailTripwireTriggered(result)


def _tool_input_tripped(env: RunEnv, facts: ErrorFacts) -> Exception:
    made = ToolInputGuardrail(_gone, name=facts.data.get("guardrail", ""))
    known = _tool_guardrail(env, facts, "tool_input_guardrails") or made
    return errors.ToolInputGuardrailTripwireTriggered(known, _tool_answer(facts))


def _tool_output_tripped(env: RunEnv, facts: ErrorFacts) -> Exception:
    made = ToolOutputGuardrail(_gone, name=facts.data.get("guardrail", ""))
    known = _tool_guardrail(env, facts, "tool_output_guardrails") or made
    return errors.ToolOutputGuardrailTripwireTriggered(known, _tool_answer(facts))


_TRIPPED: dict[str, Callable[[RunEnv, ErrorFacts], Exception]] = {
    "InputGuardrailTripwireTriggered": _input_tripped,
    "OutputGuardrailTripwireTriggered": _output_tripped,
    "ToolInputGuardrailTripwireTriggered": _tool_input_tripped,
    "ToolOutputGuardrailTripwireTriggered": _tool_output_tripped,
}


def _tool_guardrail(env: RunEnv, facts: ErrorFacts, where: str) -> Any:
    """The program's guardrail of that name, on the tool that was called."""
    agent = env.agents.named(env.log.state.agent)
    found = (
        guardrail
        for tool in agent.tools
        for guardrail in getattr(tool, where, None) or ()
        if guardrail.get_name() == facts.data.get("guardrail")
    )
    return next(found, None)


def _tool_answer(facts: ErrorFacts) -> ToolGuardrailFunctionOutput:
    answer = facts.data.get("answer", {})
    behavior: Any = answer.get("behavior", {"type": "raise_exception"})
    return ToolGuardrailFunctionOutput(output_info=_info(facts), behavior=behavior)


def _info(facts: ErrorFacts) -> Any:
    return unplain(facts.data.get("answer", {}).get("info"))
