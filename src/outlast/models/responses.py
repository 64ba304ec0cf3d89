"""Models behind OpenAI's Responses API: a request out of definitions, events and a reply back.

HTTP and websocket send the same, and an answer means the same. Nothing that is passed in is changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from outlast.core.errors import ModelBehaviorError
from outlast.core.usage import model_usage_to_span_usage
from outlast.models import background
from outlast.models.call_ids import with_wire_ids
from outlast.models.call_options import limits_of
from outlast.models.endpoint import SUCCESS, EndpointModel, Request, arguments_of
from outlast.models.errors import (
    ModelRequestError,
    in_our_family,
    response_error,
    terminal_error,
    truncated,
)
from outlast.models.event_stream import closing_of, let_go
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.models.fast_events import quick
from outlast.models.led_to import asked_without, with_partners
from outlast.models.official import base_url_of
from outlast.models.responses_tools import ConvertedTools, Converter
from outlast.models.streaming import mark_request, reply_of, usage_in
from outlast.models.untouched import untouched
from outlast.models.validate import checked_event, checked_response
from outlast.tracing import response_span

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import Response

    from outlast.definitions.limits import ModelLimits
    from outlast.definitions.run_items import ModelResponse
    from outlast.definitions.settings import ModelSettings

__all__ = ["HEADERS_OVERRIDE", "ConvertedTools", "Converter", "OpenAIResponsesModel"]

HEADERS_OVERRIDE: ContextVar[dict[str, str] | None] = ContextVar("outlast_headers", default=None)
"""Headers that win over all others for the calls made in this context."""
FAILURES = ("response.failed", "response.incomplete", "error")
ENDS = (SUCCESS, *FAILURES)


class OpenAIResponsesModel(EndpointModel):
    """A model behind the Responses API of OpenAI, or of an endpoint that has the same.

    Args:
        model: Its name.
        openai_client: Yours to configure and to close.
        model_is_explicit: False if the name is only a default; then a prompt kept by the provider
            may choose the model.
        model_limits: What a call may take where the run says nothing.
    """

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI,
        *,
        model_is_explicit: bool = True,
        model_limits: ModelLimits | None = None,
    ) -> None:
        super().__init__(model, openai_client, model_limits)
        self._model_is_explicit = model_is_explicit

    def _span(self, request: Request) -> Any:
        return response_span(disabled=request.tracing.is_disabled())

    async def _reply(self, request: Request, span: object) -> ModelResponse:
        response = await self._response(request)
        self._note(span, response, request)
        return reply_of(response, keep_raw_usage=request.settings.preserve_raw_usage is True)

    async def _response(self, request: Request) -> Response:
        """The whole answer."""
        kwargs = self._kwargs(request)
        response = await self._known()
        if response is None:
            with in_our_family():
                responses: Any = self._bounded.responses  # knows no plain dict

                async def create(given: dict[str, Any]) -> Any:
                    return await responses.create(**untouched(responses, given))

                response = checked_response(await asked_without(create, kwargs))
        # An endpoint that only resembles OpenAI's may send no status.
        if getattr(response, "status", None) in ("failed", "incomplete", "cancelled"):
            await background.acceptance().over()
            raise response_error(response)
        if background.is_open(response):
            await background.acceptance().accepted(response.id, self._by)
            return await background.finished(self._bounded, response)
        return response

    def _events(self, request: Request, span: object) -> AsyncGenerator[Any]:
        del span
        kwargs = self._kwargs(request, stream=True)
        if background.is_background(kwargs) or background.acceptance().response_of(self._by):
            return self._background_events(kwargs)
        return self._answer(kwargs)

    def _answer(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        return passed_on(self._sent(kwargs))

    def _sent(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        """The events as they come in."""
        return http_events(self._bounded, kwargs)

    async def _background_events(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        """Events as long as the connection lasts; if it is lost, the answer when it is there."""
        response = await self._known()
        if response is None:
            is_over = False
            events = self._answer(kwargs)
            try:
                async for event in events:
                    response = getattr(event, "response", response)
                    is_over = event.type in FAILURES
                    await self._remember(response, is_over=is_over)
                    yield event
            except (ModelRequestError, ModelBehaviorError):
                if response is None or is_over:
                    raise
            else:
                return
            finally:
                await events.aclose()
        yield background.completed(await background.finished(self._bounded, response))

    async def _remember(self, response: Response | None, *, is_over: bool) -> None:
        if is_over:
            await background.acceptance().over()
        elif response is not None:
            await background.acceptance().accepted(response.id, self._by)

    @property
    def _by(self) -> str:
        """Who accepts a call: of several models of a run, only this one can be asked for it."""
        return f"{self.model}@{urlsplit(base_url_of(self._client)).hostname}"

    async def _known(self) -> Response | None:
        """The answer that an earlier attempt at this call began, if there is one."""
        known = background.acceptance().response_of(self._by)
        return await background.known_response(self._bounded, known) if known else None

    def _kwargs(self, request: Request, *, stream: bool = False) -> dict[str, Any]:
        is_left_to_prompt = request.prompt is not None and not self._model_is_explicit
        return arguments(request, None if is_left_to_prompt else self.model, stream=stream)

    def _note(self, span: Any, response: Response, request: Request) -> None:
        if request.tracing.is_disabled():
            return
        span.span_data.response_id = response.id
        span.span_data.usage = model_usage_to_span_usage(usage_in(response))
        if request.tracing.include_data():
            span.span_data.response = response
            span.span_data.input = request.input


# --- What is asked. ----------------------------------------------------------------------


def arguments(request: Request, model: str | None, *, stream: bool = False) -> dict[str, Any]:
    """What `responses.create` is called with. ``model`` is None where the prompt names it.

    Raises:
        UserError: The tools or the tool choice cannot be sent.
    """
    settings, prompt = request.settings, request.prompt
    tools = Converter.convert_tools(
        request.tools,
        request.handoffs,
        allow_opaque_tool_search_surface=prompt is not None,
        model=model,
        tool_choice=settings.tool_choice,
    )
    may_call = tools.tools or prompt is not None
    given: dict[str, Any] = {
        "previous_response_id": request.previous_response_id,
        "conversation": request.conversation_id,
        "instructions": request.instructions,
        "model": model,
        "input": clean_input(request.input, model),
        "include": _includes(tools, settings),
        "tools": tools.tools or (None if prompt is not None else []),
        "prompt": prompt,
        "truncation": settings.truncation,
        "max_output_tokens": settings.max_tokens,
        "tool_choice": Converter.convert_tool_choice(
            settings.tool_choice, tools=request.tools, handoffs=request.handoffs, model=model
        ),
        "parallel_tool_calls": settings.parallel_tool_calls if may_call else None,
        "stream": True if stream else None,
        "text": _text(request),
        "store": settings.store,
        "reasoning": settings.reasoning,
        "context_management": settings.context_management,
    }
    return arguments_of("responses.create", given, settings, HEADERS_OVERRIDE.get())


def clean_input(given: str | list[Any], model: str | None = None) -> list[Any]:
    """An input as the Responses API takes it: without ids and fields that came from elsewhere.

    Calls go back under the ids that ``model`` gave them.
    """
    if isinstance(given, str):
        return [{"content": given, "role": "user"}]
    items: list[dict[str, Any]] = [
        item if isinstance(item, dict) else item.model_dump(exclude_unset=True) for item in given
    ]
    # Another provider's reasoning means nothing to OpenAI, and its signature would be refused.
    kept = [i for i in items if not (i.get("type") == "reasoning" and i.get("provider_data"))]
    return [_clean_item(item) for item in with_wire_ids(with_partners(kept), model)]


def _clean_item(item: dict[str, Any]) -> dict[str, Any]:
    foreign = {"provider_data"} | ({"id"} if item.get("id") == FAKE_RESPONSES_ID else set[str]())
    if item.get("type") == "compaction":
        foreign.add("created_by")  # The API writes it, and does not take it back.
    if foreign.isdisjoint(item):
        return item
    return {name: value for name, value in item.items() if name not in foreign}


def _includes(tools: ConvertedTools, settings: ModelSettings) -> list[str]:
    logprobs = [] if settings.top_logprobs is None else ["message.output_text.logprobs"]
    return sorted({*tools.includes, *(settings.response_include or ()), *logprobs})


def _text(request: Request) -> Any:
    from openai import omit

    wanted = Converter.get_response_format(request.schema)
    verbosity = request.settings.verbosity
    if verbosity is None:
        return wanted
    return {"verbosity": verbosity} if wanted is omit else {**wanted, "verbosity": verbosity}


# --- What comes back over HTTP. ----------------------------------------------------------


async def passed_on(events: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    """The events of an answer, whatever they come over; they are closed afterwards.

    Raises:
        ModelRequestError: The connection failed.
        ModelBehaviorError: The provider says that it failed.
        ModelStreamTruncated: The events end without a last one.
    """
    ended = False
    async with contextlib.aclosing(events):
        async for event in events:
            yield event
            if event.type in FAILURES:
                raise terminal_error(event)
            ended = ended or event.type == SUCCESS
    if not (ended or limits_of().lenient_eof):
        raise truncated(SUCCESS)


async def http_events(client: AsyncOpenAI, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
    """The events that answer an HTTP request. Nothing can fail any more after the last one."""
    with in_our_family():
        events, close, request_id = await asked_without(partial(_opened, client), kwargs)
    ended = False
    try:
        while (event := await _next(events)) is not None:
            ended = ended or event.type in ENDS
            if event.type == SUCCESS and request_id is not None:
                mark_request(event.response, request_id)
            yield event
    except Exception:
        if not ended:
            raise
    finally:
        try:
            await let_go(close)
        except Exception:
            if not ended:
                raise


async def _next(events: AsyncIterator[Any]) -> Any | None:
    with in_our_family():
        event = await anext(events, None)
        return None if event is None else checked_event(event)


async def _opened(
    client: AsyncOpenAI, kwargs: dict[str, Any]
) -> tuple[AsyncIterator[Any], Callable[[], Awaitable[Any]], str | None]:
    """A stream, what closes it, and the request's id."""
    responses: Any = client.responses
    kwargs = untouched(responses, kwargs)
    # Only this way does the library tell the request's id. A client of the user's may not have it.
    streaming = getattr(responses, "with_streaming_response", None)
    if streaming is None:
        stream = quick(await responses.create(**kwargs))
        return aiter(stream), closing_of(stream), None
    manager = streaming.create(**kwargs)
    answer = await manager.__aenter__()

    async def leave() -> None:
        await manager.__aexit__(None, None, None)

    try:
        return aiter(quick(await answer.parse())), leave, answer.request_id
    except BaseException:
        await let_go(leave)
        raise
