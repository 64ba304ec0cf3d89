"""Checking a run's input and its final output."""

from __future__ import annotations

from typing import Any

import msgspec

from outlast.core.effects import CheckGuardrail
from outlast.core.events import GuardrailChecked, GuardrailNames, OutputBlocked
from outlast.definitions.agent import Agent
from outlast.definitions.guardrail import (
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailResult,
    OutputGuardrailResult,
)
from outlast.engine.config import OutputGuardrailBlockedMessageArgs, RunConfig
from outlast.engine.drive import Done
from outlast.engine.env import RunEnv
from outlast.engine.perform.conclude import final_output, output_guardrails
from outlast.engine.projection import first_input

BLOCKED = "Output withheld by an output guardrail."


def input_guardrails(agent: Agent[Any], config: RunConfig) -> list[InputGuardrail[Any]]:
    """A run's input guardrails in the order of their ids: blocking ones first."""
    both = [*agent.input_guardrails, *(config.input_guardrails or ())]
    return sorted(both, key=lambda guardrail: guardrail.run_in_parallel)


def guardrail_names(agent: Agent[Any], config: RunConfig) -> GuardrailNames:
    """The names of a run's input guardrails, for its log."""
    if not agent.input_guardrails and not config.input_guardrails:
        return _NONE
    both = input_guardrails(agent, config)
    return GuardrailNames(
        tuple(g.get_name() for g in both if not g.run_in_parallel),
        tuple(g.get_name() for g in both if g.run_in_parallel),
    )


_NONE = GuardrailNames()


async def check(env: RunEnv, effect: CheckGuardrail) -> Done:
    """Ask one guardrail."""
    result: Any
    if effect.stage == "output":
        agent = env.agents.agent(effect.agent)
        guardrail = output_guardrails(agent, env.config)[effect.index]
        result = await guardrail.run(env.context, agent, final_output(env))
    else:
        agent = env.agents.first
        asked = input_guardrails(agent, env.config)[effect.index]
        result = await asked.run(agent, _subject(env, effect), env.context)
    env.live.checks[effect.id] = result
    output = result.output
    try:
        info = msgspec.to_builtins(output.output_info)
    except TypeError:
        info = str(output.output_info)
    tripped = bool(output.tripwire_triggered)
    event = GuardrailChecked(effect.id, effect.stage, effect.name, tripped, info, effect.agent)
    is_refused = tripped and effect.stage == "output"
    return Done([event, *(_withheld(env, effect) if is_refused else ())])


def _subject(env: RunEnv, effect: CheckGuardrail) -> Any:
    """What an input guardrail looks at: the run's input, or what was staged for this turn."""
    state = env.log.state
    if not effect.id.startswith("g1."):
        return [item for message in state.inbox for item in message.items]
    return first_input(env)


def _withheld(env: RunEnv, effect: CheckGuardrail) -> list[OutputBlocked]:
    """A refused output that a tool made is not left in the conversation."""
    state = env.log.state
    if not state.output or state.output.kind != "tool":
        return []
    made = f"t{state.turn}."
    return [
        OutputBlocked(
            entry.source,
            str(entry.item.get("call_id")),
            {**entry.item, "output": _blocked_message(env, effect)},
        )
        for entry in state.entries
        if entry.kind == "tool_output" and entry.source.startswith(made)
    ]


def _blocked_message(env: RunEnv, effect: CheckGuardrail) -> str:
    message = env.config.output_guardrail_blocked_message
    if callable(message):
        message = message(
            OutputGuardrailBlockedMessageArgs(
                default_message=BLOCKED,
                guardrail_name=effect.name,
                agent=env.agents.agent(effect.agent),
                run_context=env.context,
            )
        )
    return BLOCKED if message is None else message


def check_results(env: RunEnv, stage: str) -> list[Any]:
    """The results of the run's guardrails at one stage, as they answered; from the log if need be."""
    return [check_result(env, event) for event in env.log.state.checks if event.stage == stage]


def check_result(env: RunEnv, event: GuardrailChecked) -> Any:
    """A guardrail's result, made again from the log where another process saw it."""
    known = env.live.checks.get(event.id)
    if known is not None:
        return known
    output = GuardrailFunctionOutput(event.info, event.tripped)
    index = int(event.id.rpartition(".")[2])
    if event.stage == "input":
        guardrail = input_guardrails(env.agents.first, env.config)[index]
        return InputGuardrailResult(guardrail=guardrail, output=output)
    agent = env.agents.agent(event.agent)
    return OutputGuardrailResult(
        guardrail=output_guardrails(agent, env.config)[index],
        agent_output=final_output(env),
        agent=agent,
        output=output,
    )
