"""What a caller may do about a run that is about to fail: give it an output all the same."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypedDict, cast

from outlast.core.errors import MaxTurnsExceeded, ModelBehaviorError, ModelRefusalError, UserError
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper, TContext
from outlast.definitions.run_items import ModelResponse, RunItem

if TYPE_CHECKING:
    from outlast.definitions.run_items import TResponseInputItem

RunErrorKind: TypeAlias = Literal["max_turns", "model_refusal", "invalid_final_output"]
_RESULT_KEYS = frozenset({"final_output", "include_in_history"})


@dataclass
class RunErrorData:
    """What a run has come to when it fails."""

    input: str | list[TResponseInputItem]
    new_items: list[RunItem]
    history: list[TResponseInputItem]
    output: list[TResponseInputItem]
    raw_responses: list[ModelResponse]
    last_agent: Agent


@dataclass
class RunErrorHandlerInput(Generic[TContext]):
    """What a handler is told."""

    error: MaxTurnsExceeded | ModelRefusalError | ModelBehaviorError
    context: RunContextWrapper[TContext]
    run_data: RunErrorData


@dataclass
class RunErrorHandlerResult:
    """The output that a handler gives the run.

    Attributes:
        final_output: Must fit the agent's output type.
        include_in_history: Add the output to the conversation as the agent's message.
    """

    final_output: Any
    include_in_history: bool = True


RunErrorHandler: TypeAlias = Callable[
    [RunErrorHandlerInput[TContext]],
    Awaitable[RunErrorHandlerResult | dict[str, Any] | Any | None]
    | RunErrorHandlerResult
    | dict[str, Any]
    | Any
    | None,
]


class RunErrorHandlers(TypedDict, Generic[TContext], total=False):
    """Handlers by what went wrong. Other keys are ignored."""

    max_turns: RunErrorHandler[TContext]
    model_refusal: RunErrorHandler[TContext]
    invalid_final_output: RunErrorHandler[TContext]


async def ask_handler(
    handlers: RunErrorHandlers | None,
    kind: RunErrorKind,
    error: MaxTurnsExceeded | ModelRefusalError | ModelBehaviorError,
    context: RunContextWrapper,
    run_data: RunErrorData,
) -> RunErrorHandlerResult | None:
    """The output that the handler of ``kind`` gives, or None if there is none or it declines.

    Raises:
        UserError: The handler returned a dict with ``final_output`` and keys nobody knows.
    """
    handler = handlers.get(kind) if handlers else None
    if handler is None:
        return None
    answer: Any = handler(RunErrorHandlerInput(error=error, context=context, run_data=run_data))
    if inspect.isawaitable(answer):
        answer = await answer
    if answer is None or isinstance(answer, RunErrorHandlerResult):
        return answer
    if not isinstance(answer, dict) or "final_output" not in answer:
        return RunErrorHandlerResult(final_output=answer)
    given = cast("dict[str, Any]", answer)
    if unknown := sorted(str(key) for key in given if key not in _RESULT_KEYS):
        raise UserError(
            f"Invalid run error handler result: the {kind!r} handler returned a dict with "
            f"final_output and unknown keys {unknown}. Known keys are {sorted(_RESULT_KEYS)}."
        )
    return RunErrorHandlerResult(**given)
