"""A model that plays a script, for tests: no network, no clock, no randomness."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from outlast.core.errors import ModelBehaviorError
from outlast.core.usage import Usage
from outlast.definitions.model import Model, ModelTracing
from outlast.definitions.run_items import ModelResponse
from outlast.models.streaming import reply_events
from outlast.testing.steps import (
    ModelCall,
    ModelScriptItem,
    ModelStep,
    UnconsumedModelSteps,
    UnexpectedModelCall,
    answered,
    checked_step,
    each_of,
    typed_item,
)
from outlast.tracing import generation_span
from outlast.tracing.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from openai.types.responses import ResponseStreamEvent

    from outlast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest

_REDACTED = "Error details are redacted."
_MODEL_NAME = "scripted-model"


class ScriptedModel(Model):
    """Answers each request with the next step of a script, and remembers every request.

    A step is a `ModelStep` or a mapping with its fields, a `ModelResponse`, a list of output items,
    or an exception to raise. Streaming works by itself for messages, reasoning, function calls and
    patch calls; for anything else give the events with `ModelStep.stream`.

    Args:
        steps: The script. More can be added with `enqueue` and `extend`.
        emit_traces: Opens a generation span for each call, as a provider's model would.
        default_usage: Counted for steps that give no usage; one request without tokens if None.
    """

    def __init__(
        self,
        steps: Iterable[ModelScriptItem] = (),
        *,
        emit_traces: bool = False,
        default_usage: Usage | None = None,
    ) -> None:
        self._steps: deque[ModelStep] = deque()
        self._calls: list[ModelCall] = []
        self._emit_traces = emit_traces
        self._default_usage = copy.deepcopy(default_usage)
        self._advised: tuple[Exception, ModelRetryAdvice] | None = None
        self.extend(steps)

    @property
    def calls(self) -> tuple[ModelCall, ...]:
        """Every request so far, oldest first; copies, so that changing one changes nothing here."""
        return tuple(call.detached() for call in self._calls)

    @property
    def first_call(self) -> ModelCall | None:
        """The first request, or None when there was none."""
        return self._calls[0].detached() if self._calls else None

    @property
    def last_call(self) -> ModelCall | None:
        """The latest request, or None when there was none."""
        return self._calls[-1].detached() if self._calls else None

    @property
    def remaining_steps(self) -> int:
        """How many steps no request has taken yet."""
        return len(self._steps)

    def enqueue(self, step: ModelScriptItem) -> None:
        """Add one step to the end of the script.

        Raises:
            InvalidModelStep: The step cannot be played; nothing was added.
        """
        self.extend([step])

    def extend(self, steps: Iterable[ModelScriptItem]) -> None:
        """Add steps to the end of the script, all or none.

        Raises:
            InvalidModelStep: A step cannot be played; nothing was added.
        """
        self._steps.extend([checked_step(step, index) for index, step in enumerate(steps)])

    def set_default_usage(self, usage: Usage | None) -> None:
        """What later steps cost that give no usage."""
        self._default_usage = copy.deepcopy(usage)

    def assert_complete(self) -> None:
        """Check that the script has been played to its end.

        Raises:
            UnconsumedModelSteps: Steps are left.
        """
        if self._steps:
            raise UnconsumedModelSteps(
                f"{len(self._steps)} scripted model step(s) were not asked for.",
                remaining_steps=len(self._steps),
            )

    async def close(self) -> None:
        """Nothing to release."""

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """The advice of the step that failed last, if ``request`` is about that very failure."""
        if self._advised is None or self._advised[0] is not request.error:
            return None
        return copy.deepcopy(self._advised[1])

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Play the next step and give what it says."""
        call = self._recorded(ModelCall(*args, **kwargs, streamed=False))
        with self._span(call.tracing) as span, _current(span):
            return self._reply(await self._next_step(call), call)

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ResponseStreamEvent]:
        """Play the next step as a stream."""
        call = self._recorded(ModelCall(*args, **kwargs, streamed=True))
        with self._span(call.tracing) as span:
            with _current(span):
                events = self._open(await self._next_step(call), call)
            async with contextlib.aclosing(_under(span, events)) as shown:
                async for event in shown:
                    yield event

    def _recorded(self, call: ModelCall) -> ModelCall:
        kept = call.detached()
        self._advised = None
        self._calls.append(kept)
        return kept

    async def _next_step(self, call: ModelCall) -> ModelStep:
        if not self._steps:
            kind = "streaming" if call.streamed else "non-streaming"
            raise UnexpectedModelCall(
                f"Unexpected {kind} model call #{len(self._calls)}: no scripted steps remain.",
                call=call.detached(),
                call_index=len(self._calls) - 1,
            )
        step = await answered(self._steps.popleft(), call)
        if step.error is None:
            return step
        if step.retry_advice is not None:
            self._advised = (step.error, step.retry_advice)
        raise step.error

    def _reply(self, step: ModelStep, call: ModelCall) -> ModelResponse:
        usage = step.usage
        if usage == Usage():
            usage = copy.deepcopy(self._default_usage) or Usage(requests=1)
        return ModelResponse(
            output=[_typed(item) for item in step.output],
            usage=usage,
            response_id=step.response_id,
            request_id=step.request_id,
            raw_usage=step.raw_usage if call.model_settings.preserve_raw_usage is True else None,
        )

    def _open(self, step: ModelStep, call: ModelCall) -> AsyncIterator[ResponseStreamEvent]:
        events = step.stream_events
        if callable(events):
            return aiter(events(call))
        if events is None:
            events = reply_events(self._reply(step, call), model=_MODEL_NAME)
        return each_of(events)

    @contextlib.contextmanager
    def _span(self, tracing: ModelTracing) -> Generator[Any]:
        if not self._emit_traces:
            yield None
            return
        span = generation_span()
        span.start()
        try:
            yield span
        except GeneratorExit:  # The consumer has seen enough; that is no failure.
            raise
        except BaseException as error:
            _tell(span, error, tracing)
            raise
        finally:
            span.finish()


def _tell(span: Any, error: BaseException, tracing: ModelTracing) -> None:
    name = type(error).__name__
    message = _REDACTED
    if tracing.include_data():
        try:
            message = str(error)
        except BaseException:  # noqa: BLE001 (a broken __str__ must not hide the error)
            message = f"Unrenderable {name}"
    data = {"name": name, "message": message}
    if isinstance(error, asyncio.CancelledError) and error.args:
        data = {"error": message}  # Given up by the engine, which says why.
    with contextlib.suppress(BaseException):  # nor must a broken span
        span.set_error({"message": "Error", "data": data})


@contextlib.contextmanager
def _current(span: Any) -> Generator[None]:
    if span is None:
        yield
        return
    token = Scope.set_current_span(span)
    try:
        yield
    finally:
        Scope.reset_current_span(token)


async def _under(span: Any, events: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """The events, each of them made, and their source closed, while ``span`` is current.

    It is not current around the yield: a consumer must not see our span as its own.
    """
    try:
        while True:
            with _current(span):
                event = await anext(events, None)
            if event is None:
                break
            yield event
    except BaseException:
        with _current(span), contextlib.suppress(Exception):
            await _close(events)
        raise
    with _current(span):
        await _close(events)


async def _close(events: AsyncIterator[Any]) -> None:
    close = getattr(events, "aclose", None)  # An iterator may have one; a generator does.
    if close is not None:
        await close()


def _typed(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    wire: dict[str, Any] = dict(item)  # pyright: ignore[reportUnknownArgumentType]  a test's own dict
    return typed_item(_patch_call(wire) if wire.get("type") == "apply_patch_call" else wire)


def _patch_call(wire: dict[str, Any]) -> dict[str, Any]:
    call_id, item_id = wire.get("call_id"), wire.get("id", wire.get("call_id"))
    if not isinstance(call_id, str) or not call_id:
        raise ModelBehaviorError(
            "Tool invocations require a non-empty string call ID before execution."
        )
    if not isinstance(item_id, str) or not item_id:
        raise ModelBehaviorError(
            "Apply-patch tool calls require a non-empty string item ID when provided."
        )
    return {"status": "completed", **wire, "id": item_id}
