"""Checks of what goes into a run and of what comes out."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, overload

from typing_extensions import TypeVar

from holdfast.core.errors import UserError
from holdfast.definitions.context import RunContextWrapper, TContext

if TYPE_CHECKING:
    from holdfast.definitions.openai_types import TResponseInputItem

TContext_co = TypeVar("TContext_co", covariant=True, default=Any)


@dataclass
class GuardrailFunctionOutput:
    """What a check found."""

    output_info: Any
    """For whoever reads the result: what was checked, why it failed. JSON."""
    tripwire_triggered: bool
    """Whether the run has to stop."""


@dataclass
class InputGuardrailResult:
    """What a check of the input found, and which check it was."""

    guardrail: InputGuardrail[Any]
    output: GuardrailFunctionOutput


@dataclass
class OutputGuardrailResult:
    """What a check of the output found, which check it was, and of what."""

    guardrail: OutputGuardrail[Any]
    agent_output: Any
    agent: Any
    output: GuardrailFunctionOutput


async def _checked(check: Any, *args: Any) -> GuardrailFunctionOutput:
    if not callable(check):
        raise UserError(f"Guardrail function must be callable, got {check}")
    found: Any = check(*args)
    return await found if inspect.isawaitable(found) else found


@dataclass
class InputGuardrail(Generic[TContext]):
    """A check of a run's input, made once, by the first agent."""

    guardrail_function: Callable[..., Any]
    """Called with context, agent and input; sync or async."""
    name: str | None = None
    run_in_parallel: bool = True
    """Whether the agent starts at once. If not, it waits until the check has passed."""

    def get_name(self) -> str:
        """What the check is called in traces and logs."""
        return self.name or self.guardrail_function.__name__

    async def run(
        self,
        agent: Any,
        input: str | list[TResponseInputItem],
        context: RunContextWrapper[TContext],
    ) -> InputGuardrailResult:
        """Make the check."""
        found = await _checked(self.guardrail_function, context, agent, input)
        return InputGuardrailResult(guardrail=self, output=found)


@dataclass
class OutputGuardrail(Generic[TContext]):
    """A check of a run's final output, made by the last agent."""

    guardrail_function: Callable[..., Any]
    """Called with context, agent and output; sync or async."""
    name: str | None = None

    def get_name(self) -> str:
        """What the check is called in traces and logs."""
        return self.name or self.guardrail_function.__name__

    async def run(
        self, context: RunContextWrapper[TContext], agent: Any, agent_output: Any
    ) -> OutputGuardrailResult:
        """Make the check."""
        found = await _checked(self.guardrail_function, context, agent, agent_output)
        return OutputGuardrailResult(
            guardrail=self, agent=agent, agent_output=agent_output, output=found
        )


_Found = GuardrailFunctionOutput | Awaitable[GuardrailFunctionOutput]
_InputCheck = Callable[[RunContextWrapper[TContext_co], Any, Any], _Found]
_OutputCheck = Callable[[RunContextWrapper[TContext_co], Any, Any], _Found]


@overload
def input_guardrail(func: _InputCheck[TContext_co]) -> InputGuardrail[TContext_co]: ...
@overload
def input_guardrail(
    *, name: str | None = None, run_in_parallel: bool = True
) -> Callable[[_InputCheck[TContext_co]], InputGuardrail[TContext_co]]: ...
def input_guardrail(
    func: _InputCheck[TContext_co] | None = None,
    *,
    name: str | None = None,
    run_in_parallel: bool = True,
) -> (
    InputGuardrail[TContext_co] | Callable[[_InputCheck[TContext_co]], InputGuardrail[TContext_co]]
):
    """A function as an `InputGuardrail`; used bare or with settings."""

    def made(check: _InputCheck[TContext_co]) -> InputGuardrail[TContext_co]:
        return InputGuardrail(check, name or check.__name__, run_in_parallel)

    return made if func is None else made(func)


@overload
def output_guardrail(func: _OutputCheck[TContext_co]) -> OutputGuardrail[TContext_co]: ...
@overload
def output_guardrail(
    *, name: str | None = None
) -> Callable[[_OutputCheck[TContext_co]], OutputGuardrail[TContext_co]]: ...
def output_guardrail(
    func: _OutputCheck[TContext_co] | None = None, *, name: str | None = None
) -> (
    OutputGuardrail[TContext_co]
    | Callable[[_OutputCheck[TContext_co]], OutputGuardrail[TContext_co]]
):
    """A function as an `OutputGuardrail`; used bare or with a name."""

    def made(check: _OutputCheck[TContext_co]) -> OutputGuardrail[TContext_co]:
        return OutputGuardrail(check, name or check.__name__)

    return made if func is None else made(func)
