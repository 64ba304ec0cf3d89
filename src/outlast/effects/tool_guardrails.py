"""Asking a function tool's own guardrails about its arguments and its result."""

from __future__ import annotations

import copy
from typing import Any, Literal

from outlast.core.effects import RunTool
from outlast.core.errors import (
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    UserError,
)
from outlast.core.events import Event, GuardrailChecked
from outlast.core.ids import tool_check_id
from outlast.core.shown import shown
from outlast.core.surrogates import without_surrogates
from outlast.definitions.context import ToolContext
from outlast.definitions.enabled import gathered
from outlast.definitions.tool import FunctionTool
from outlast.definitions.tool_guardrail import (
    ToolInputGuardrailData,
    ToolInputGuardrailResult,
    ToolOutputGuardrailData,
    ToolOutputGuardrailResult,
)
from outlast.definitions.tool_output import FailureText
from outlast.effects.failures import note_once
from outlast.effects.kept import keep_info
from outlast.effects.view import RunView

_Stage = Literal["tool_input", "tool_output"]
_STAGES: dict[_Stage, tuple[Any, Any]] = {
    "tool_input": (ToolInputGuardrailResult, ToolInputGuardrailTripwireTriggered),
    "tool_output": (ToolOutputGuardrailResult, ToolOutputGuardrailTripwireTriggered),
}
"""Of a stage, the form of its results, and what a tripwire raises."""


class Blocked(FailureText):
    """What a guardrail says in place of a result."""

    __slots__ = ()


class Checks:
    """What the guardrails of one call have said so far."""

    __slots__ = ("_effect", "_results", "_view", "events")

    def __init__(self, view: RunView, effect: RunTool) -> None:
        self._view = view
        self._effect = effect
        self._results: dict[str, Any] = {}
        """By the id of the check."""
        self.events: list[Event] = []
        """For the log."""

    async def ask_about_input(self, context: ToolContext, tool: FunctionTool) -> Blocked | None:
        """The message that a guardrail answers in the tool's stead, or None.

        Raises:
            ToolInputGuardrailTripwireTriggered: A guardrail wants the run to fail.
        """
        if not tool.tool_input_guardrails:
            return None
        data = ToolInputGuardrailData(context=context, agent=context.agent)
        return await self._ask("tool_input", tool.tool_input_guardrails, data)

    async def ask_about_output(
        self, context: ToolContext, tool: FunctionTool, value: object
    ) -> Any:
        """The tool's value as its guardrails leave it.

        Raises:
            ToolOutputGuardrailTripwireTriggered: A guardrail wants the run to fail.
        """
        if not tool.tool_output_guardrails:
            return value
        data = ToolOutputGuardrailData(context=context, agent=context.agent, output=value)
        blocked = await self._ask("tool_output", tool.tool_output_guardrails, data)
        return value if blocked is None else blocked

    async def _ask(self, stage: _Stage, guardrails: list[Any], data: object) -> Blocked | None:
        effect, (result, tripped) = self._effect, _STAGES[stage]
        for n, guardrail in enumerate(guardrails):
            # One may change what it is given, and context variables.
            info, output = keep_info(await _answer(guardrail, copy.copy(data)), guardrail)
            key = tool_check_id(effect.id, stage, n)
            self._results[key] = result(guardrail=guardrail, output=output)
            behavior = output.behavior["type"]
            self.events.append(
                GuardrailChecked(
                    id=key,
                    stage=stage,
                    name=guardrail.get_name(),
                    tripped=behavior == "raise_exception",
                    agent=effect.agent,
                    call_id=effect.call.id,
                    behavior=behavior,
                    info=info,
                    message=without_surrogates(shown(output.behavior.get("message", ""))),
                    tool=effect.call.qualified_name,
                )
            )
            if behavior == "raise_exception":
                raise tripped(guardrail=guardrail, output=output)
            if behavior == "reject_content":
                text = shown(output.behavior["message"])
                return Blocked(text, UserError(text), is_default=True)
        return None

    def keep(self) -> None:
        """Show the results to the caller. Those of a call that failed are not shown."""
        self._view.live.checks |= self._results


async def _answer(guardrail: Any, data: Any) -> Any:
    try:
        (output,) = await gathered(guardrail.run(data))
    except Exception as error:
        note_once(error, f"The guardrail is {guardrail.get_name()!r}.")
        raise
    return output
