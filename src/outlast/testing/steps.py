"""What a scripted model is told to do, and what it was asked.

A step is checked and copied when it is queued, so that a mistake shows where it was written and
a later change of a list or item cannot reach into the script.
"""

from __future__ import annotations

import copy
import functools
import inspect
import json
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from outlast.core.usage import Usage
from outlast.definitions.retry import ModelRetryAdvice
from outlast.definitions.run_items import ModelResponse

if TYPE_CHECKING:
    from openai.types.responses import ResponseOutputItem, ResponsePromptParam, ResponseStreamEvent
    from pydantic import TypeAdapter

    from outlast.definitions.handoff import Handoff
    from outlast.definitions.model import ModelTracing
    from outlast.definitions.output import AgentOutputSchemaBase
    from outlast.definitions.settings import ModelSettings
    from outlast.definitions.tool import Tool

_T = TypeVar("_T")
ModelStepReason = Literal[
    "invalid_input",
    "unsupported_field",
    "invalid_error",
    "invalid_responder",
    "invalid_stream_events",
    "conflicting_outcomes",
    "invalid_retry_advice",
]


class ModelScriptError(Exception):
    """The base of what a scripted model complains about; a runner lets it through unwrapped."""


class InvalidModelStep(ModelScriptError):
    """A step cannot be played. Correct the step that ``input_index`` (from zero) points at."""

    def __init__(self, message: str, *, reason: ModelStepReason, input_index: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.input_index = input_index


class UnexpectedModelCall(ModelScriptError):
    """The model was called once more than the script has steps. Add a step, or find out why."""

    def __init__(self, message: str, *, call: ModelCall, call_index: int) -> None:
        super().__init__(message)
        self.call = call
        self.call_index = call_index


class UnconsumedModelSteps(ModelScriptError):
    """The script has steps that no call has asked for."""

    def __init__(self, message: str, *, remaining_steps: int) -> None:
        super().__init__(message)
        self.remaining_steps = remaining_steps


@dataclass(frozen=True)
class ModelCall:
    """One request to a scripted model, as it was when it was made."""

    system_instructions: str | None
    input: Any
    model_settings: ModelSettings
    tools: list[Tool]
    output_schema: AgentOutputSchemaBase | None
    handoffs: list[Handoff]
    tracing: ModelTracing
    previous_response_id: str | None
    conversation_id: str | None
    prompt: ResponsePromptParam | None
    streamed: bool

    def detached(self) -> ModelCall:
        """A copy that shares only what has identity: tools, handoffs, the output schema."""
        return replace(
            self,
            input=copy.deepcopy(self.input),
            model_settings=copy.deepcopy(self.model_settings),
            prompt=copy.deepcopy(self.prompt),
            tools=list(self.tools),
            handoffs=list(self.handoffs),
        )


@dataclass
class ModelStep:
    """What a scripted model does with one request: an output, an error, an answer or a stream.

    At most one of ``error``, ``responder`` and ``stream_events`` may be given. With
    ``stream_events``, ``output`` is what a request that does not stream gets.
    """

    output: Sequence[ResponseOutputItem] = field(default_factory=tuple)
    usage: Usage = field(default_factory=Usage)
    response_id: str | None = "resp-789"
    request_id: str | None = None
    raw_usage: dict[str, Any] | None = None
    error: Exception | None = None
    responder: ModelResponder | None = None
    stream_events: Sequence[ResponseStreamEvent] | ModelStreamFactory | None = None
    retry_advice: ModelRetryAdvice | None = None

    @classmethod
    def raise_error(
        cls, error: Exception, *, retry_advice: ModelRetryAdvice | None = None
    ) -> ModelStep:
        """A step that fails with ``error``, and advises about a retry of exactly that failure."""
        return cls(error=error, retry_advice=retry_advice)

    @classmethod
    def respond(cls, responder: ModelResponder) -> ModelStep:
        """A step that is worked out from the call, by a function that may be async."""
        return cls(responder=responder)

    @classmethod
    def stream(
        cls,
        events: Sequence[ResponseStreamEvent] | ModelStreamFactory,
        *,
        output: Sequence[ResponseOutputItem] = (),
        usage: Usage | None = None,
        response_id: str | None = "resp-789",
    ) -> ModelStep:
        """A step whose stream is given event by event, or by a function of the call."""
        return cls(
            stream_events=events if callable(events) else tuple(events),
            output=output,
            usage=Usage() if usage is None else usage,
            response_id=response_id,
        )


class ModelStepSpec(TypedDict, total=False):
    """A step as a plain mapping, with the fields of `ModelStep`."""

    output: Sequence[ResponseOutputItem]
    usage: Usage
    response_id: str | None
    request_id: str | None
    raw_usage: dict[str, Any] | None
    error: Exception | None
    responder: ModelResponder | None
    stream_events: Sequence[ResponseStreamEvent] | ModelStreamFactory | None
    retry_advice: ModelRetryAdvice | None


ModelScriptItem = (
    ModelStep | ModelStepSpec | ModelResponse | Sequence["ResponseOutputItem"] | Exception
)
ModelResponder = Callable[[ModelCall], ModelScriptItem | Awaitable[ModelScriptItem]]
ModelStreamFactory = Callable[[ModelCall], AsyncIterator["ResponseStreamEvent"]]


def checked_step(step: Any, index: int = 0) -> ModelStep:
    """A private copy of ``step``, in whatever form it was given.

    Raises:
        InvalidModelStep: It is none of the forms a step can have.
    """
    made = _as_step(step, index)
    for reason, problem, is_fine in _CHECKS:
        if not is_fine(made):
            _refuse(reason, index, problem)
    events = made.stream_events
    return replace(
        made,
        output=tuple(copy.deepcopy(item) for item in made.output),
        usage=copy.deepcopy(made.usage),
        raw_usage=copy.deepcopy(made.raw_usage),
        stream_events=events if callable(events) else copy.deepcopy(events),
        retry_advice=copy.deepcopy(made.retry_advice),
    )


async def answered(step: ModelStep, call: ModelCall) -> ModelStep:
    """``step``, or the one that its responder gives for ``call``."""
    while step.responder is not None:
        answer: Any = step.responder(call)
        step = checked_step(await answer if inspect.isawaitable(answer) else answer)
    return step


async def each_of(things: Iterable[_T] | AsyncIterable[_T]) -> AsyncIterator[_T]:
    """What stands in an iterable of either kind."""
    if isinstance(things, AsyncIterable):
        async for thing in things:
            yield thing
        return
    for thing in things:
        yield thing


def typed_item(item: Any) -> Any:
    """An output item of plain data as the type that it has in the API.

    Raises:
        pydantic.ValidationError: It has none.
    """
    return _item_type().validate_python(item)


@functools.cache
def _item_type() -> TypeAdapter[Any]:
    from openai.types.responses import ResponseOutputItem
    from pydantic import TypeAdapter

    return TypeAdapter(ResponseOutputItem)  # It takes long to make.


def assistant_message(text: str, *, item_id: str = "scripted-message") -> ResponseOutputItem:
    """A finished message of the assistant that says ``text``."""
    from openai.types.responses import ResponseOutputMessage, ResponseOutputText

    part = ResponseOutputText(type="output_text", text=text, annotations=[], logprobs=[])
    return ResponseOutputMessage(
        id=item_id, type="message", role="assistant", status="completed", content=[part]
    )


def function_call(
    name: str,
    arguments: str | Mapping[str, Any],
    *,
    call_id: str,
    item_id: str | None = None,
    namespace: str | None = None,
) -> ResponseOutputItem:
    """A call of a function tool.

    Args:
        name: The tool.
        arguments: A mapping, or JSON as the model would write it; a string is passed on as it is,
            also when it is not JSON.
        call_id: Ties the call to its output. Use each one once in a run.
        item_id: The item's own id; the call's id when it is not given.
        namespace: The namespace that the tool is called in.
    """
    from openai.types.responses import ResponseFunctionToolCall

    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    told: dict[str, Any] = {} if namespace is None else {"namespace": namespace}
    return ResponseFunctionToolCall(
        type="function_call",
        name=name,
        arguments=arguments,
        call_id=call_id,
        id=call_id if item_id is None else item_id,
        **told,
    )


def _as_step(step: Any, index: int) -> ModelStep:
    if isinstance(step, ModelStep):
        return step
    if isinstance(step, ModelResponse):
        return ModelStep(
            output=step.output,
            usage=step.usage,
            response_id=step.response_id,
            request_id=step.request_id,
            raw_usage=step.raw_usage,
        )
    if isinstance(step, Exception):
        return ModelStep(error=step)
    if not isinstance(step, Mapping):
        return ModelStep(output=step)
    spec: Mapping[str, Any] = step  # pyright: ignore[reportUnknownVariableType]  a caller's mapping
    unknown = sorted(str(key) for key in spec if key not in _FIELDS)
    if unknown:
        _refuse("unsupported_field", index, f"has unknown fields: {', '.join(unknown)}")
    return ModelStep(**spec)


_FIELDS = {entry.name for entry in fields(ModelStep)}


# What is wrong with a step, and when it is not. A step may be anything: its types are a wish.
_CHECKS: tuple[tuple[ModelStepReason, str, Callable[[Any], bool]], ...] = (
    ("invalid_input", "needs a sequence of items as its output", lambda step:
        not isinstance(step.output, str | bytes | bytearray) and isinstance(step.output, Sequence)),
    ("invalid_input", "needs Usage as its usage", lambda step: isinstance(step.usage, Usage)),
    ("invalid_input", "needs str or NoneType as its response_id",
     lambda step: isinstance(step.response_id, str | None)),
    ("invalid_input", "needs str or NoneType as its request_id",
     lambda step: isinstance(step.request_id, str | None)),
    ("invalid_input", "needs Mapping or NoneType as its raw_usage",
     lambda step: isinstance(step.raw_usage, Mapping | None)),
    ("invalid_error", "needs an Exception as its error",
     lambda step: isinstance(step.error, Exception | None)),
    ("invalid_responder", "needs a callable as its responder",
     lambda step: step.responder is None or callable(step.responder)),
    ("invalid_stream_events", "needs a sequence or a callable as stream_events", lambda step:
        callable(step.stream_events) or isinstance(step.stream_events, Sequence | None)),
    ("conflicting_outcomes", "can have one of error, responder and stream_events", lambda step:
        sum(one is not None for one in (step.error, step.responder, step.stream_events)) <= 1),
    ("invalid_retry_advice", "can have ModelRetryAdvice only beside an error", lambda step:
        step.retry_advice is None
        or (step.error is not None and isinstance(step.retry_advice, ModelRetryAdvice))),
)  # fmt: skip


def _refuse(reason: ModelStepReason, index: int, problem: str) -> None:
    raise InvalidModelStep(
        f"Scripted model step #{index + 1} {problem}.", reason=reason, input_index=index
    )
