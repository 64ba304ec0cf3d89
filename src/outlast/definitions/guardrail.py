"""Checks of what goes into a run and of what comes out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, overload

from typing_extensions import TypeVar

from outlast.core.errors import UserError, WrongType
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper, TContext

if TYPE_CHECKING:
    from outlast.definitions.openai_types import TResponseInputItem

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

    guardrail: InputGuardrail
    output: GuardrailFunctionOutput


@dataclass
class OutputGuardrailResult:
    """What a check of the output found, which check it was, and of what."""

    guardrail: OutputGuardrail
    agent_output: Any
    agent: Any
    output: GuardrailFunctionOutput


@dataclass
class Check:
    """What guardrails of all kinds have."""

    guardrail_function: Callable[..., Any]
    name: str | None = None

    def get_name(self) -> str:
        """What the check is called in traces and logs: its name, or that of its function."""
        return self.name or self.guardrail_function.__name__

    async def found(self, *args: object) -> Any:
        """What its function returns, which may be async.

        Raises:
            UserError: The function is not callable.
        """
        if not callable(self.guardrail_function):
            raise UserError(
                f"Guardrail function must be callable, got {self.guardrail_function}. Pass a "
                "function that takes what the guardrail gets to see."
            )
        try:
            outcome = self.guardrail_function(*args)
        except TypeError:
            if (taken := _refused(self.guardrail_function, args)) is None:
                raise
            raise UserError(  # What Python says of it names no line of the program.
                f"Guardrail function {self.get_name()}{taken} is called with {len(args)} arguments: "
                "see the docstring of its decorator. Write a parameter for each."
            ) from None
        return await awaited(outcome)

    def verdict(self, found: object) -> Any:
        """What its function returned, if that can be a verdict.

        Raises:
            UserError: It is something else, or says neither yes nor no.
        """
        if hasattr(found, "tripwire_triggered") and hasattr(found, "output_info"):
            said: Any = getattr(found, "tripwire_triggered", None)
            if not _is_yes_or_no(said):
                raise WrongType(
                    f"Guardrail function {self.get_name()} returned a tripwire_triggered that is neither "
                    f"True nor False, but of type {type(said).__name__}, which would always stop the run. "
                    "Return GuardrailFunctionOutput(output_info=..., tripwire_triggered=True or False)."
                )
            return found
        raise UserError(
            f"Guardrail function {self.get_name()} returned an object of type "
            f"{type(found).__name__}. Return GuardrailFunctionOutput(output_info=..., "
            "tripwire_triggered=...)."
        )


def _is_yes_or_no(said: Any) -> bool:
    """Whether ``said`` can be read as yes or no: what is counted, measured or found can; a text cannot.

    Neither can what was forgotten to be called, awaited or looked into.
    """
    if said is None or isinstance(said, bool | re.Match):
        return True
    if isinstance(said, str | bytes | dict):
        return False
    kind: Any = said.__class__
    return hasattr(kind, "__bool__") or hasattr(kind, "__len__")


def _refused(function: Callable[..., Any], args: tuple[Any, ...]) -> inspect.Signature | None:
    """The signature of a function that cannot be called with so many arguments."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # A builtin that has none.
        return None
    try:
        signature.bind(*args)
    except TypeError:
        return signature
    return None


@dataclass
class InputGuardrail(Check, Generic[TContext]):
    """A check of a run's input, made once, by the first agent.

    Its function is called with context, agent and input; it may be async.
    """

    run_in_parallel: bool = True
    """Whether the agent starts at once. If not, it waits until the check has passed."""

    async def run(
        self,
        agent: object,
        input: str | list[TResponseInputItem],
        context: RunContextWrapper[TContext],
    ) -> InputGuardrailResult:
        """Make the check."""
        return InputGuardrailResult(self, self.verdict(await self.found(context, agent, input)))


@dataclass
class OutputGuardrail(Check, Generic[TContext]):
    """A check of a run's final output, made by the last agent.

    Its function is called with context, agent and output; it may be async.
    """

    async def run(
        self, context: RunContextWrapper[TContext], agent: object, agent_output: object
    ) -> OutputGuardrailResult:
        """Make the check."""
        found = self.verdict(await self.found(context, agent, agent_output))
        return OutputGuardrailResult(self, agent_output, agent, found)


_Found = GuardrailFunctionOutput | Awaitable[GuardrailFunctionOutput]
_CheckFunction: TypeAlias = Callable[[RunContextWrapper[TContext_co], Any, Any], _Found]
_InputDecorator: TypeAlias = Callable[[_CheckFunction[TContext_co]], InputGuardrail[TContext_co]]
_OutputDecorator: TypeAlias = Callable[[_CheckFunction[TContext_co]], OutputGuardrail[TContext_co]]


@overload
def input_guardrail(func: _CheckFunction[TContext_co]) -> InputGuardrail[TContext_co]: ...
@overload
def input_guardrail(
    *, name: str | None = None, run_in_parallel: bool = True
) -> _InputDecorator[TContext_co]: ...
def input_guardrail(
    func: _CheckFunction[TContext_co] | None = None,
    *,
    name: str | None = None,
    run_in_parallel: bool = True,
) -> InputGuardrail[TContext_co] | _InputDecorator[TContext_co]:
    """A function as an `InputGuardrail`; used bare or with settings."""
    if func is None:
        return lambda check: InputGuardrail(check, name or check.__name__, run_in_parallel)
    return InputGuardrail(func, name or func.__name__, run_in_parallel)


@overload
def output_guardrail(func: _CheckFunction[TContext_co]) -> OutputGuardrail[TContext_co]: ...
@overload
def output_guardrail(*, name: str | None = None) -> _OutputDecorator[TContext_co]: ...
def output_guardrail(
    func: _CheckFunction[TContext_co] | None = None, *, name: str | None = None
) -> OutputGuardrail[TContext_co] | _OutputDecorator[TContext_co]:
    """A function as an `OutputGuardrail`; used bare or with a name."""
    if func is None:
        return lambda check: OutputGuardrail(check, name or check.__name__)
    return OutputGuardrail(func, name or func.__name__)
