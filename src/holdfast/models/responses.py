"""Models behind OpenAI's Responses API: a request out of definitions, events and a reply back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from holdfast.core.errors import ModelBehaviorError
from holdfast.core.usage import model_usage_to_span_usage
from holdfast.definitions.handoff import Handoff
from holdfast.definitions.logger import logger
from holdfast.definitions.model import Model, ModelTracing
from holdfast.models.endpoint import client_of, is_official_openai_client
from holdfast.models.errors import advice, request_error, response_error, terminal_error, told_to
from holdfast.models.fake_id import FAKE_RESPONSES_ID
from holdfast.models.responses_tools import ConvertedTools, Converter
from holdfast.models.streaming import mark_request, reply_of, usage_in
from holdfast.tracing import response_span
from holdfast.version import __version__

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import (
        Response,
        ResponseInputItemParam,
        ResponsePromptParam,
        ResponseStreamEvent,
    )

    from holdfast.definitions.output import AgentOutputSchemaBase
    from holdfast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from holdfast.definitions.run_items import ModelResponse
    from holdfast.definitions.settings import ModelSettings
    from holdfast.definitions.tool import Tool

__all__ = [
    "ConvertedTools",
    "Converter",
    "OpenAIResponsesModel",
    "OpenAIResponsesWSModel",
    "OpenAIResponsesWebSocketOptions",
]

HEADERS_OVERRIDE: ContextVar[dict[str, str] | None] = ContextVar("holdfast_headers", default=None)
"""Headers that win over all others for the calls made in this context."""
_HEADERS = {"User-Agent": f"Holdfast/Python {__version__}"}

_SUCCESS = "response.completed"
_FAILURES = ("response.failed", "response.incomplete", "error")
_LOGPROBS = "message.output_text.logprobs"


class OpenAIResponsesWebSocketOptions(TypedDict, total=False):
    """Keepalive and size limits of a websocket."""

    ping_interval: float | None
    ping_timeout: float | None
    max_size: int | None


@dataclass(frozen=True)
class _Request:
    """What a caller asks of the model, in the caller's terms."""

    instructions: str | None
    input: str | list[Any]
    settings: ModelSettings
    tools: list[Tool]
    schema: AgentOutputSchemaBase | None
    handoffs: list[Handoff[Any, Any]]
    previous_response_id: str | None
    conversation_id: str | None
    prompt: ResponsePromptParam | None


class OpenAIResponsesModel(Model):
    """A model behind the Responses API of OpenAI, or of an endpoint that has the same.

    Args:
        model: Its name.
        openai_client: Yours to configure and to close.
        model_is_explicit: False if the name is only a default; then a prompt kept by the provider
            may choose the model.
    """

    def __init__(
        self, model: str, openai_client: AsyncOpenAI, *, model_is_explicit: bool = True
    ) -> None:
        self.model = model
        self._client = openai_client
        self._model_is_explicit = model_is_explicit

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """What the failure says about trying again: status, headers, whether it was sent."""
        return advice(request)

    async def get_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[ResponseInputItemParam],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        prompt: ResponsePromptParam | None = None,
    ) -> ModelResponse:
        """Ask for a reply and wait for all of it.

        Raises:
            ModelRequestError: The request failed. It is also the `openai` library's own error.
            ModelBehaviorError: The provider says that the response failed or is incomplete.
        """
        request = _Request(
            system_instructions, input, model_settings, tools, output_schema, handoffs,
            previous_response_id, conversation_id, prompt,
        )  # fmt: skip
        with (
            response_span(disabled=tracing.is_disabled()) as span,
            told_to(span, "Error getting response", tracing),
        ):
            with _in_our_family():
                responses: Any = client_of(self._client).responses  # knows no plain dict
                response: Response = await responses.create(**self._kwargs(request))
            # An endpoint that only resembles OpenAI's may send no status.
            if getattr(response, "status", None) in ("failed", "incomplete"):
                raise response_error(response)
            _note(span, response, request, tracing)
            return reply_of(response, keep_raw_usage=model_settings.preserve_raw_usage is True)

    async def stream_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[ResponseInputItemParam],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        prompt: ResponsePromptParam | None = None,
    ) -> AsyncIterator[ResponseStreamEvent]:
        """Ask for a reply and pass on its events; the last one has all of it.

        Raises:
            ModelRequestError: The request or the connection failed.
            ModelBehaviorError: The stream ended with a failure, or with nothing.
        """
        request = _Request(
            system_instructions, input, model_settings, tools, output_schema, handoffs,
            previous_response_id, conversation_id, prompt,
        )  # fmt: skip
        with _stream_span(tracing) as span:
            async with contextlib.aclosing(self._events(request)) as events:
                async for event in events:
                    _note_end(span, event, request, tracing)
                    yield event

    async def _events(self, request: _Request) -> AsyncGenerator[Any, None]:
        with _in_our_family():
            stream = await _open(client_of(self._client), self._kwargs(request, stream=True))
        ended = False
        try:
            while True:
                event = await stream.next_event(may_fail=ended)
                if event is None:
                    break
                ended = ended or event.type in (_SUCCESS, *_FAILURES)
                yield event
                if event.type in _FAILURES:
                    raise terminal_error(event)
        finally:
            await stream.close(may_fail=ended)
        if not ended:
            raise ModelBehaviorError(
                "Model did not produce a final response! Its stream ended before "
                "response.completed; the connection may have been cut. Run it again."
            )

    def _kwargs(self, request: _Request, *, stream: bool = False) -> dict[str, Any]:
        from openai import omit

        settings, prompt = request.settings, request.prompt
        model = None if prompt is not None and not self._model_is_explicit else self.model
        tools = Converter.convert_tools(
            request.tools,
            request.handoffs,
            allow_opaque_tool_search_surface=prompt is not None,
            model=model,
            tool_choice=settings.tool_choice,
        )
        choice = Converter.convert_tool_choice(
            settings.tool_choice, tools=request.tools, handoffs=request.handoffs, model=model
        )
        may_call = tools.tools or prompt is not None
        given: dict[str, Any] = {
            "previous_response_id": request.previous_response_id,
            "conversation": request.conversation_id,
            "instructions": request.instructions,
            "model": model,
            "input": clean_input(request.input),
            "include": _includes(tools, settings),
            "tools": tools.tools or (omit if prompt is not None else []),
            "prompt": prompt,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "truncation": settings.truncation,
            "max_output_tokens": settings.max_tokens,
            "tool_choice": choice,
            "parallel_tool_calls": settings.parallel_tool_calls if may_call else None,
            "stream": True if stream else None,
            "text": _text(request),
            "store": settings.store,
            "prompt_cache_retention": settings.prompt_cache_retention,
            "prompt_cache_options": settings.prompt_cache_options,
            "reasoning": settings.reasoning,
            "metadata": settings.metadata,
            "context_management": settings.context_management,
        }
        kwargs = {name: omit if value is None else value for name, value in given.items()}
        if settings.top_logprobs is not None:
            kwargs["top_logprobs"] = settings.top_logprobs
        headers = {**_HEADERS, **(settings.extra_headers or {}), **(HEADERS_OVERRIDE.get() or {})}
        kwargs |= {"extra_headers": headers, "extra_query": settings.extra_query}
        kwargs["extra_body"] = settings.extra_body
        return _with_extra(kwargs, settings.extra_args or {})

    def _supports_default_prompt_cache_key(self) -> bool:
        return is_official_openai_client(self._client)


class OpenAIResponsesWSModel(OpenAIResponsesModel):
    """The same model, asked for over a websocket.

    This version has no websocket transport: requests go over HTTP, and a warning says so once.
    """

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI,
        *,
        model_is_explicit: bool = True,
        websocket_options: OpenAIResponsesWebSocketOptions | None = None,
    ) -> None:
        super().__init__(model, openai_client, model_is_explicit=model_is_explicit)
        self._websocket_options = websocket_options
        self._warned = False

    def _kwargs(self, request: _Request, *, stream: bool = False) -> dict[str, Any]:
        if not self._warned:
            self._warned = True
            logger.warning("There is no websocket transport yet; %s is asked by HTTP.", self.model)
        return super()._kwargs(request, stream=stream)


def clean_input(given: str | list[Any]) -> list[Any]:
    """An input as the Responses API takes it: without ids and fields that came from elsewhere."""
    if isinstance(given, str):
        return [{"content": given, "role": "user"}]
    items: list[dict[str, Any]] = [
        item if isinstance(item, dict) else item.model_dump(exclude_unset=True) for item in given
    ]
    # Another provider's reasoning means nothing to OpenAI, and its signature would be refused.
    kept = (i for i in items if not (i.get("type") == "reasoning" and i.get("provider_data")))
    return [_clean_item(item) for item in kept]


def _clean_item(item: dict[str, Any]) -> dict[str, Any]:
    foreign = {"provider_data"} | ({"id"} if item.get("id") == FAKE_RESPONSES_ID else set[str]())
    if foreign.isdisjoint(item):
        return item
    return {name: value for name, value in item.items() if name not in foreign}


def _includes(tools: ConvertedTools, settings: ModelSettings) -> list[str]:
    wanted = [*tools.includes, *(settings.response_include or ())]
    if settings.top_logprobs is not None:
        wanted.append(_LOGPROBS)
    return sorted(set(wanted))


def _text(request: _Request) -> Any:
    from openai import omit

    wanted = Converter.get_response_format(request.schema)
    verbosity = request.settings.verbosity
    if verbosity is None:
        return wanted
    return {"verbosity": verbosity} if wanted is omit else {**wanted, "verbosity": verbosity}


def _with_extra(kwargs: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    from openai import omit

    twice = sorted(name for name in extra if kwargs.get(name, omit) is not omit)
    if twice:
        kind = "argument" if len(twice) == 1 else "arguments"
        names = ", ".join(map(repr, twice))
        raise TypeError(f"responses.create() got multiple values for keyword {kind} {names}")
    return kwargs | extra


@contextlib.contextmanager
def _stream_span(tracing: ModelTracing) -> Generator[Any]:
    """A span that is never current: its stream's consumer runs between our steps."""
    span = response_span(disabled=tracing.is_disabled())
    span.start()
    try:
        with told_to(span, "Error streaming response", tracing):
            yield span
    finally:
        span.finish()


def _note_end(span: Any, event: Any, request: _Request, tracing: ModelTracing) -> None:
    if event.type == _SUCCESS:
        _note(span, event.response, request, tracing)


def _note(span: Any, response: Response, request: _Request, tracing: ModelTracing) -> None:
    if tracing.is_disabled():
        return
    span.span_data.response_id = response.id
    span.span_data.usage = model_usage_to_span_usage(usage_in(response))
    if tracing.include_data():
        span.span_data.response = response
        span.span_data.input = request.input


@contextlib.contextmanager
def _in_our_family() -> Generator[None]:
    from openai import APIConnectionError, OpenAIError

    try:
        yield
    except OpenAIError as error:
        raise request_error(error) from error
    except Exception as error:
        # The library passes on its HTTP client's own errors while it reads a stream. Which of
        # the two clients (httpx, httpx2) that is depends on the library's version.
        if not type(error).__module__.startswith("httpx"):
            raise
        sent: Any = error.__dict__.get("_request")
        raise request_error(APIConnectionError(request=sent)) from error


# --- One stream. -------------------------------------------------------------------------

_closing: set[asyncio.Future[Any]] = set()  # Only so that they are not collected half-way.


class _Stream:
    """Events of a provider and the way to let go of them, once."""

    def __init__(self, events: Any, close: Callable[[], Awaitable[Any]], request_id: Any) -> None:
        self._events = aiter(events)
        self._close = close
        self._request_id = request_id

    async def next_event(self, *, may_fail: bool) -> Any:
        try:
            with _in_our_family():
                event = await anext(self._events, None)
        except Exception:
            if may_fail:  # All that was to be said has been said.
                return None
            raise
        if event is not None and event.type == _SUCCESS and self._request_id is not None:
            mark_request(event.response, self._request_id)
        return event

    async def close(self, *, may_fail: bool) -> None:
        # Whoever is cancelled here stops waiting; the connection is given back nevertheless.
        closing = asyncio.ensure_future(self._close())
        _closing.add(closing)
        closing.add_done_callback(_forget)
        try:
            await asyncio.shield(closing)
        except Exception:
            if not may_fail:
                raise


def _forget(closing: asyncio.Future[Any]) -> None:
    _closing.discard(closing)
    if not closing.cancelled():
        closing.exception()  # Looked at, so that asyncio does not report it as lost.


async def _open(client: AsyncOpenAI, kwargs: dict[str, Any]) -> _Stream:
    responses: Any = client.responses
    # Only this way does the library tell the request's id. A client of the user's may not have it.
    streaming = getattr(responses, "with_streaming_response", None)
    if streaming is None:
        events = await responses.create(**kwargs)
        close = getattr(events, "aclose", None) or getattr(events, "close", _nothing)
        return _Stream(events, close, None)
    manager = streaming.create(**kwargs)
    answer = await manager.__aenter__()

    async def leave() -> None:
        await manager.__aexit__(None, None, None)

    return _Stream(await answer.parse(), leave, answer.request_id)


async def _nothing() -> None:
    return None
