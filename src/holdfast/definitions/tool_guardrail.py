"""Guardrails of one tool: asked before it runs (input) and about what it returned (output)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypedDict, TypeVar, overload

from holdfast.core.errors import UserError
from holdfast.definitions.context import ToolContext

TContext_co = TypeVar("TContext_co", bound=Any, covariant=True)


class AllowBehavior(TypedDict):
    """The call goes on."""

    type: Literal["allow"]


class RejectContentBehavior(TypedDict):
    """The model gets `message` in place of the tool's result, and the run goes on."""

    type: Literal["reject_content"]
    message: str


class RaiseExceptionBehavior(TypedDict):
    """The run fails."""

    type: Literal["raise_exception"]


def _allow() -> RejectContentBehavior | RaiseExceptionBehavior | AllowBehavior:
    return {"type": "allow"}


@dataclass
class ToolGuardrailFunctionOutput:
    """A guardrail's verdict, and whatever it wants to tell about it (`output_info`)."""

    output_info: Any
    behavior: RejectContentBehavior | RaiseExceptionBehavior | AllowBehavior = field(
        default_factory=_allow
    )

    @classmethod
    def allow(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """A verdict that lets the call go on."""
        return cls(output_info=output_info, behavior={"type": "allow"})

    @classmethod
    def reject_content(cls, message: str, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """A verdict that shows the model ``message`` in place of the tool's result."""
        return cls(output_info=output_info, behavior={"type": "reject_content", "message": message})

    @classmethod
    def raise_exception(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """A verdict that fails the run."""
        return cls(output_info=output_info, behavior={"type": "raise_exception"})


@dataclass
class ToolInputGuardrailData:
    """What an input guardrail gets to see."""

    context: ToolContext[Any]
    agent: Any
    """The agent that called the tool."""


@dataclass
class ToolOutputGuardrailData(ToolInputGuardrailData):
    """What an output guardrail gets to see."""

    output: Any
    """What the tool returned."""


@dataclass
class ToolInputGuardrail(Generic[TContext_co]):
    """Decides about a tool's call before the tool runs."""

    guardrail_function: Callable[
        [ToolInputGuardrailData],
        Awaitable[ToolGuardrailFunctionOutput] | ToolGuardrailFunctionOutput,
    ]
    name: str | None = None

    def get_name(self) -> str:
        """Its name, or that of its function."""
        return self.name or self.guardrail_function.__name__

    async def run(self, data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        """The verdict of its function, which may be async.

        Raises:
            UserError: The function is not callable.
        """
        verdict = _callable(self.guardrail_function)(data)
        return await verdict if inspect.isawaitable(verdict) else verdict


@dataclass
class ToolOutputGuardrail(Generic[TContext_co]):
    """Decides about what a tool returned."""

    guardrail_function: Callable[
        [ToolOutputGuardrailData],
        Awaitable[ToolGuardrailFunctionOutput] | ToolGuardrailFunctionOutput,
    ]
    name: str | None = None

    def get_name(self) -> str:
        """Its name, or that of its function."""
        return self.name or self.guardrail_function.__name__

    async def run(self, data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        """The verdict of its function, which may be async.

        Raises:
            UserError: The function is not callable.
        """
        verdict = _callable(self.guardrail_function)(data)
        return await verdict if inspect.isawaitable(verdict) else verdict


@dataclass
class ToolInputGuardrailResult:
    """An input guardrail and its verdict, as a run's result lists them."""

    guardrail: ToolInputGuardrail[Any]
    output: ToolGuardrailFunctionOutput


@dataclass
class ToolOutputGuardrailResult:
    """An output guardrail and its verdict, as a run's result lists them."""

    guardrail: ToolOutputGuardrail[Any]
    output: ToolGuardrailFunctionOutput


InputGuardrailFunction = Callable[
    [ToolInputGuardrailData], Awaitable[ToolGuardrailFunctionOutput] | ToolGuardrailFunctionOutput
]
OutputGuardrailFunction = Callable[
    [ToolOutputGuardrailData], Awaitable[ToolGuardrailFunctionOutput] | ToolGuardrailFunctionOutput
]


@overload
def tool_input_guardrail(func: InputGuardrailFunction) -> ToolInputGuardrail[Any]: ...
@overload
def tool_input_guardrail(
    *, name: str | None = None
) -> Callable[[InputGuardrailFunction], ToolInputGuardrail[Any]]: ...
def tool_input_guardrail(
    func: InputGuardrailFunction | None = None, *, name: str | None = None
) -> ToolInputGuardrail[Any] | Callable[[InputGuardrailFunction], ToolInputGuardrail[Any]]:
    """A tool input guardrail from a function; usable with and without parentheses."""
    if func is not None:
        return ToolInputGuardrail(func, name)
    return lambda decorated: ToolInputGuardrail(decorated, name)


@overload
def tool_output_guardrail(func: OutputGuardrailFunction) -> ToolOutputGuardrail[Any]: ...
@overload
def tool_output_guardrail(
    *, name: str | None = None
) -> Callable[[OutputGuardrailFunction], ToolOutputGuardrail[Any]]: ...
def tool_output_guardrail(
    func: OutputGuardrailFunction | None = None, *, name: str | None = None
) -> ToolOutputGuardrail[Any] | Callable[[OutputGuardrailFunction], ToolOutputGuardrail[Any]]:
    """A tool output guardrail from a function; usable with and without parentheses."""
    if func is not None:
        return ToolOutputGuardrail(func, name)
    return lambda decorated: ToolOutputGuardrail(decorated, name)


F = TypeVar("F")


def _callable(function: F) -> F:
    if not callable(function):
        raise UserError(
            f"A tool guardrail's guardrail_function must be callable, got {function!r}. "
            "Pass a function that takes the guardrail's data."
        )
    return function
