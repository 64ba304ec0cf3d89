"""Asking a function tool's own guardrails about its arguments and its result."""

from __future__ import annotations

from typing import Any

from holdfast.core.effects import RunTool
from holdfast.core.errors import (
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    UserError,
)
from holdfast.core.events import Event, GuardrailChecked
from holdfast.definitions.context import ToolContext
from holdfast.definitions.tool import FunctionTool
from holdfast.definitions.tool_guardrail import (
    ToolInputGuardrailData,
    ToolInputGuardrailResult,
    ToolOutputGuardrailData,
    ToolOutputGuardrailResult,
)
from holdfast.definitions.tool_output import FailureText
from holdfast.engine.env import RunEnv


class Blocked(FailureText):
    """What a guardrail says in place of a result."""

    __slots__ = ()


class Checks:
    """What the guardrails of one call have said so far."""

    __slots__ = ("_effect", "_env", "_inputs", "_outputs", "events")

    def __init__(self, env: RunEnv, effect: RunTool) -> None:
        self._env = env
        self._effect = effect
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self.events: list[Event] = []
        """For the log."""

    async def ask_about_input(
        self, context: ToolContext[Any], tool: FunctionTool
    ) -> Blocked | None:
        """The message that a guardrail answers in the tool's stead, or None.

        Raises:
            ToolInputGuardrailTripwireTriggered: A guardrail wants the run to fail.
        """
        for n, guardrail in enumerate(tool.tool_input_guardrails or ()):
            output = await guardrail.run(
                ToolInputGuardrailData(context=context, agent=context.agent)
            )
            self._inputs.append(ToolInputGuardrailResult(guardrail=guardrail, output=output))
            self._note(f"in.{n}", "tool_input", guardrail.get_name(), output)
            if output.behavior["type"] == "raise_exception":
                raise ToolInputGuardrailTripwireTriggered(guardrail=guardrail, output=output)
            if output.behavior["type"] == "reject_content":
                return _blocked(output.behavior["message"])
        return None

    async def ask_about_output(
        self, context: ToolContext[Any], tool: FunctionTool, value: Any
    ) -> Any:
        """The tool's value as its guardrails leave it.

        Raises:
            ToolOutputGuardrailTripwireTriggered: A guardrail wants the run to fail.
        """
        for n, guardrail in enumerate(tool.tool_output_guardrails or ()):
            output = await guardrail.run(
                ToolOutputGuardrailData(context=context, agent=context.agent, output=value)
            )
            self._outputs.append(ToolOutputGuardrailResult(guardrail=guardrail, output=output))
            self._note(f"out.{n}", "tool_output", guardrail.get_name(), output)
            if output.behavior["type"] == "raise_exception":
                raise ToolOutputGuardrailTripwireTriggered(guardrail=guardrail, output=output)
            if output.behavior["type"] == "reject_content":
                return _blocked(output.behavior["message"])
        return value

    def keep(self) -> None:
        """Show the results to the caller. Those of a call that failed are not shown."""
        self._env.live.tool_input_checks += self._inputs
        self._env.live.tool_output_checks += self._outputs

    def _note(self, key: str, stage: Any, name: str, output: Any) -> None:
        effect, behavior = self._effect, output.behavior["type"]
        self.events.append(
            GuardrailChecked(
                f"{effect.id}.{key}",
                stage,
                name,
                behavior == "raise_exception",
                None,
                effect.agent,
                effect.call.id,
                behavior,
            )
        )


def _blocked(text: str) -> Blocked:
    return Blocked(text, UserError(text), is_default=True)
