"""Checking a run's input and its final output."""

from __future__ import annotations

from typing import Any, cast

from outlast.core.effects import CheckGuardrail
from outlast.core.errors import IncompatibleRun, UserError
from outlast.core.events import GuardrailChecked, GuardrailNames, OutputBlocked
from outlast.core.ids import EffectId, check_place
from outlast.core.items import copied
from outlast.core.state import blocked_output, checks_input, guardrail_of
from outlast.definitions.agent import Agent
from outlast.definitions.guardrail import (
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailResult,
    OutputGuardrail,
    OutputGuardrailResult,
)
from outlast.definitions.tool import FunctionTool
from outlast.definitions.tool_guardrail import (
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailResult,
    ToolOutputGuardrail,
    ToolOutputGuardrailResult,
)
from outlast.effects.conclude import final_output, output_guardrails
from outlast.effects.config import OutputGuardrailBlockedMessageArgs, RunConfig
from outlast.effects.kept import keep_info, kept_info
from outlast.effects.outcome import Emit, Outcome
from outlast.effects.projection import as_items, given_input
from outlast.effects.view import RunParts, RunView

AnyGuardrail = InputGuardrail | OutputGuardrail
BLOCKED = "Output withheld by an output guardrail."


def input_guardrails(agent: Agent, config: RunConfig) -> list[InputGuardrail]:
    """A run's input guardrails in the order of their ids: blocking ones first."""
    both = [*agent.input_guardrails, *(config.input_guardrails or ())]
    return sorted(both, key=lambda guardrail: guardrail.run_in_parallel)


def guardrail_names(agent: Agent, config: RunConfig) -> GuardrailNames:
    """The names of a run's input guardrails, for its log."""
    if not agent.input_guardrails and not config.input_guardrails:
        return _NONE
    both = input_guardrails(agent, config)
    return GuardrailNames(
        tuple(g.get_name() for g in both if not g.run_in_parallel),
        tuple(g.get_name() for g in both if g.run_in_parallel),
    )


_NONE = GuardrailNames()


async def check(effect: CheckGuardrail, view: RunView, emit: Emit) -> Outcome:
    """Ask one guardrail."""
    del emit
    result: Any
    guardrail = find_guardrail(view, effect.id)
    if guardrail is None:
        raise missing_guardrail(view, effect)
    if isinstance(guardrail, OutputGuardrail):
        agent = view.agents.agent(effect.agent)
        result = await guardrail.run(view.context, agent, final_output(view))
    else:
        agent = view.agents.first
        result = await guardrail.run(agent, _subject(view, effect), view.context)
    view.live.checks[effect.id] = result
    info, result.output = keep_info(result.output, guardrail)
    output = result.output
    tripped = bool(output.tripwire_triggered)
    event = GuardrailChecked(effect.id, effect.stage, effect.name, tripped, info, effect.agent)
    is_refused = tripped and effect.stage == "output"
    return Outcome([event, *(_withheld(view, effect) if is_refused else ())])


def find_guardrail(view: RunParts, key: str) -> AnyGuardrail | None:
    """The guardrail of the program that makes the check ``key``; None if it has none of that name.

    What the log names is found by its name, wherever it stands now. Of several of one name, it is
    the one that is as many places behind the first of them.
    """
    state = view.state
    name, place = guardrail_of(state, key)
    guardrails: list[Any]
    if check_place(key)[0] == "out":
        guardrails = output_guardrails(view.agents.agent(state.agent), view.config)
    else:
        guardrails = input_guardrails(view.agents.first, view.config)
    return _named(guardrails, name, place)


def _named(guardrails: list[Any], name: str, place: int) -> AnyGuardrail | None:
    same = [guardrail for guardrail in guardrails if guardrail.get_name() == name]
    return same[place] if place < len(same) else None


def missing_guardrail(view: RunParts, effect: CheckGuardrail) -> IncompatibleRun:
    """The error of a program that has not the guardrail that a check is to ask."""
    first = view.agents.first if effect.stage == "input" else view.agents.agent(effect.agent)
    return IncompatibleRun.changed(
        view.run_id,
        f"its {effect.stage} has to pass guardrail {effect.name!r}, which neither agent "
        f"{first.name!r} nor the settings of the run have",
        "Go on with it in a program that has that guardrail.",
        effect.name,
    )


def _subject(view: RunView, effect: CheckGuardrail) -> Any:
    """What an input guardrail looks at: the conversation so far, or what was staged for this turn."""
    staged = [copied(item) for message in view.state.staged for item in message.items]
    if not checks_input(effect.id):
        return staged
    return [*as_items(given_input(view)), *staged] if staged else given_input(view)


def _withheld(view: RunView, effect: CheckGuardrail) -> list[OutputBlocked]:
    """A refused output that a tool made is not left in the conversation."""
    state = view.state
    if not state.output or state.output.kind != "tool":
        return []
    return [
        OutputBlocked(
            entry.source,
            str(entry.item.get("call_id")),
            {**entry.item, "output": _blocked_message(view, effect)},
        )
        for entry in state.entries
        if entry.kind == "tool_output" and EffectId.parse(entry.source).turn == state.turn
    ]


def _blocked_message(view: RunView, effect: CheckGuardrail) -> str:
    message = view.config.output_guardrail_blocked_message
    if callable(message):
        message = message(
            OutputGuardrailBlockedMessageArgs(
                default_message=BLOCKED,
                guardrail_name=effect.name,
                agent=view.agents.agent(effect.agent),
                run_context=view.context,
            )
        )
    return BLOCKED if message is None else message


def check_results(view: RunParts, stage: str) -> list[Any]:
    """The results of the run's guardrails at one stage, as they answered; from the log if need be."""
    # A tool's guardrail that was asked again, after a person, has answered once.
    asked = {event.id: event for event in view.state.checks if event.stage == stage}
    checks = list(asked.values())
    if (tripped := view.state.tripped) is not None and tripped in checks:
        checks = checks[
            : checks.index(tripped) + 1
        ]  # Those that answered later were not waited for.
    return [check_result(view, event) for event in checks]


def check_result(view: RunParts, event: GuardrailChecked) -> Any:
    """A guardrail's result, made again from the log where another process saw it."""
    known = view.live.checks.get(event.id)
    blocked = blocked_output(view.state) if event.stage == "output" else None
    if known is not None and blocked is None:
        return known
    name, place = guardrail_of(view.state, event.id)
    place = place if name == event.name else 0  # The run has had another output since.
    if event.stage == "input":
        asked = _named(input_guardrails(view.agents.first, view.config), event.name, place)
        guardrail = cast("InputGuardrail", asked or InputGuardrail(_gone, event.name))
        return InputGuardrailResult(guardrail, _output(event, guardrail))
    agent = view.agents.named(event.agent)
    if event.stage != "output":
        return _tool_result(agent, event)
    asked = _named(output_guardrails(agent, view.config), event.name, place)
    ended = cast("OutputGuardrail", asked or OutputGuardrail(_gone, event.name))
    if blocked is not None:  # Nobody is to see the output, nor what a guardrail found in it.
        answer = GuardrailFunctionOutput(output_info=None, tripwire_triggered=event.tripped)
        return OutputGuardrailResult(ended, blocked, agent, answer)
    return OutputGuardrailResult(ended, final_output(view), agent, _output(event, ended))


def _output(event: GuardrailChecked, guardrail: object) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(kept_info(event.info, guardrail), event.tripped)


def _tool_result(agent: Agent, event: GuardrailChecked) -> Any:
    """What a tool's guardrail answered."""
    is_input = event.stage == "tool_input"
    tools = (each for each in agent.tools if isinstance(each, FunctionTool))
    tool = next((each for each in tools if each.qualified_name == event.tool), None)
    own: Any = tool and (tool.tool_input_guardrails if is_input else tool.tool_output_guardrails)
    place = check_place(event.id)[1]
    known = own[place] if own and 0 <= place < len(own) else None
    guardrail: Any = known if known and known.get_name() == event.name else None
    if guardrail is None:
        guardrail = (ToolInputGuardrail if is_input else ToolOutputGuardrail)[Any](
            _gone, event.name
        )
    behavior: Any = {"type": event.behavior}
    if event.behavior == "reject_content":
        behavior["message"] = event.message
    output = ToolGuardrailFunctionOutput(kept_info(event.info, guardrail), behavior)
    return (ToolInputGuardrailResult if is_input else ToolOutputGuardrailResult)(
        guardrail=guardrail, output=output
    )


def _gone(*_: object) -> Any:
    """Stands for a guardrail that answered and that the program has no more."""
    raise UserError(
        "This guardrail is known from the log of a run only: the program does not have it any more."
    )
