"""Guardrails of one tool: asked before it runs (input) and about what it returned (output)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypedDict, overload

from typing_extensions import TypeVar

from outlast.core.errors import UserError
from outlast.definitions.context import ToolContext
from outlast.definitions.given import check_list
from outlast.definitions.guardrail import Check

TContext_co = TypeVar("TContext_co", bound=Any, covariant=True, default=Any)


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


_Behavior: TypeAlias = RejectContentBehavior | RaiseExceptionBehavior | AllowBehavior


@dataclass
class ToolGuardrailFunctionOutput:
    """A guardrail's verdict, and whatever it wants to tell about it (`output_info`)."""

    output_info: Any
    behavior: _Behavior = field(default_factory=lambda: AllowBehavior(type="allow"))

    @classmethod
    def allow(cls, output_info: object = None) -> ToolGuardrailFunctionOutput:
        """A verdict that lets the call go on."""
        return cls(output_info)

    @classmethod
    def reject_content(
        cls, message: str, output_info: object = None
    ) -> ToolGuardrailFunctionOutput:
        """A verdict that shows the model ``message`` in place of the tool's result."""
        return cls(output_info=output_info, behavior={"type": "reject_content", "message": message})

    @classmethod
    def raise_exception(cls, output_info: object = None) -> ToolGuardrailFunctionOutput:
        """A verdict that fails the run."""
        return cls(output_info=output_info, behavior={"type": "raise_exception"})


@dataclass
class ToolInputGuardrailData:
    """What an input guardrail gets to see."""

    context: ToolContext
    agent: Any
    """The agent that called the tool."""


@dataclass
class ToolOutputGuardrailData(ToolInputGuardrailData):
    """What an output guardrail gets to see."""

    output: Any
    """What the tool returned."""


_Found = Awaitable[ToolGuardrailFunctionOutput] | ToolGuardrailFunctionOutput
InputGuardrailFunction: TypeAlias = Callable[[ToolInputGuardrailData], _Found]
OutputGuardrailFunction: TypeAlias = Callable[[ToolOutputGuardrailData], _Found]


@dataclass
class ToolInputGuardrail(Check, Generic[TContext_co]):
    """Decides about a tool's call before the tool runs."""

    guardrail_function: InputGuardrailFunction

    async def run(self, data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        """The verdict of its function, which may be async."""
        return await self.found(data)


@dataclass
class ToolOutputGuardrail(Check, Generic[TContext_co]):
    """Decides about what a tool returned."""

    guardrail_function: OutputGuardrailFunction

    async def run(self, data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        """The verdict of its function, which may be async."""
        return await self.found(data)


def check_tool_guardrails(owner: str, kind: Literal["input", "output"], guardrails: Any) -> None:
    """Refuse functions that lack their decorator; ``owner`` has the list.

    Raises:
        UserError: An entry is no guardrail of the ``kind``.
    """
    right: Any = ToolInputGuardrail if kind == "input" else ToolOutputGuardrail
    check_list(f"tool_{kind}_guardrails of {owner}", guardrails)
    found: list[Any] = guardrails or []
    for index, guardrail in enumerate(found):
        is_other = isinstance(guardrail, Check) and not isinstance(guardrail, right)
        if is_other or inspect.isroutine(guardrail) or not hasattr(guardrail, "run"):
            raise UserError(
                f"tool_{kind}_guardrails[{index}] of {owner} is no guardrail of a tool's {kind}, but a "
                f"{type(guardrail).__name__}. Decorate the function with @tool_{kind}_guardrail."
            )


@dataclass
class ToolInputGuardrailResult:
    """An input guardrail and its verdict, as a run's result lists them."""

    guardrail: ToolInputGuardrail
    output: ToolGuardrailFunctionOutput


@dataclass
class ToolOutputGuardrailResult:
    """An output guardrail and its verdict, as a run's result lists them."""

    guardrail: ToolOutputGuardrail
    output: ToolGuardrailFunctionOutput


_InputDecorator: TypeAlias = Callable[[InputGuardrailFunction], ToolInputGuardrail]
_OutputDecorator: TypeAlias = Callable[[OutputGuardrailFunction], ToolOutputGuardrail]


@overload
def tool_input_guardrail(func: InputGuardrailFunction) -> ToolInputGuardrail: ...
@overload
def tool_input_guardrail(*, name: str | None = None) -> _InputDecorator: ...
def tool_input_guardrail(
    func: InputGuardrailFunction | None = None, *, name: str | None = None
) -> ToolInputGuardrail | _InputDecorator:
    """A tool input guardrail from a function; usable with and without parentheses."""
    if func is None:
        return lambda decorated: ToolInputGuardrail(decorated, name)
    return ToolInputGuardrail(func, name)


@overload
def tool_output_guardrail(func: OutputGuardrailFunction) -> ToolOutputGuardrail: ...
@overload
def tool_output_guardrail(*, name: str | None = None) -> _OutputDecorator: ...
def tool_output_guardrail(
    func: OutputGuardrailFunction | None = None, *, name: str | None = None
) -> ToolOutputGuardrail | _OutputDecorator:
    """A tool output guardrail from a function; usable with and without parentheses."""
    if func is None:
        return lambda decorated: ToolOutputGuardrail(decorated, name)
    return ToolOutputGuardrail(func, name)
