"""Models behind OpenAI's Responses API: a request out of definitions, events and a reply back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from holdfast.core.errors import ModelBehaviorError
from holdfast.core.usage import model_usage_to_span_usage
from holdfast.definitions.handoff import Handoff
from holdfast.definitions.model import Model, ModelTracing
from holdfast.models import background
from holdfast.models.endpoint import client_of, endpoint_of, is_official_openai_client
from holdfast.models.errors import ModelRequestError, advice, in_our_family, response_error, told_to
from holdfast.models.responses_request import HEADERS_OVERRIDE, Request, arguments
from holdfast.models.responses_stream import FAILURES, SUCCESS, Events, opened, passed_on
from holdfast.models.responses_tools import ConvertedTools, Converter
from holdfast.models.shape import checked_response
from holdfast.models.streaming import reply_of, usage_in
from holdfast.tracing import response_span

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import (
        Response,
        ResponseInputItemParam,
        ResponsePromptParam,
        ResponseStreamEvent,
    )

    from holdfast.definitions.limits import ModelEndpoint, ModelLimits
    from holdfast.definitions.output import AgentOutputSchemaBase
    from holdfast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from holdfast.definitions.run_items import ModelResponse
    from holdfast.definitions.settings import ModelSettings
    from holdfast.definitions.tool import Tool

__all__ = ["HEADERS_OVERRIDE", "ConvertedTools", "Converter", "OpenAIResponsesModel"]


class OpenAIResponsesModel(Model):
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
        self.model = model
        self._limits = model_limits
        self._client = openai_client
        self._model_is_explicit = model_is_explicit

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """What the failure says about trying again: status, headers, whether it was sent."""
        return advice(request)

    def endpoint(self) -> ModelEndpoint | None:
        """The client's number of retries, and the limits of this model."""
        return endpoint_of(self._client, self._limits)

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
        request = Request(
            system_instructions, input, model_settings, tools, output_schema, handoffs,
            previous_response_id, conversation_id, prompt,
        )  # fmt: skip
        with (
            response_span(disabled=tracing.is_disabled()) as span,
            told_to(span, "Error getting response", tracing),
        ):
            response = await self._response(request)
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
        request = Request(
            system_instructions, input, model_settings, tools, output_schema, handoffs,
            previous_response_id, conversation_id, prompt,
        )  # fmt: skip
        with _stream_span(tracing) as span:
            async with contextlib.aclosing(self._events(request)) as events:
                async for event in events:
                    _note_end(span, event, request, tracing)
                    yield event

    async def _response(self, request: Request) -> Response:
        """The whole answer."""
        kwargs = self._kwargs(request)
        response = await self._known()
        if response is None:
            with in_our_family():
                responses: Any = self._bounded.responses  # knows no plain dict
                response = checked_response(await responses.create(**kwargs))
        # An endpoint that only resembles OpenAI's may send no status.
        if getattr(response, "status", None) in ("failed", "incomplete", "cancelled"):
            await background.acceptance().over()
            raise response_error(response)
        if background.is_open(response):
            await background.acceptance().accepted(response.id, self._by)
            return await background.finished(self._bounded, response)
        return response

    def _events(self, request: Request) -> AsyncGenerator[Any]:
        """The answer as it comes. Its last event has all of it."""
        kwargs = self._kwargs(request, stream=True)
        if background.is_background(kwargs) or background.acceptance().response_of(self._by):
            return self._background_events(kwargs)
        return self._answer(kwargs)

    async def _answer(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        async with contextlib.aclosing(passed_on(await self._opened(kwargs))) as events:
            async for event in events:
                yield event

    async def _background_events(self, kwargs: dict[str, Any]) -> AsyncGenerator[Any]:
        """Events as long as the connection lasts; if it is lost, the answer when it is there."""
        progress = _Progress(await self._known())
        if progress.response is None:
            async with contextlib.aclosing(self._begun(kwargs, progress)) as events:
                async for event in events:
                    yield event
        if progress.response is not None and not progress.is_over:
            yield background.completed(await background.finished(self._bounded, progress.response))

    async def _begun(self, kwargs: dict[str, Any], progress: _Progress) -> AsyncGenerator[Any]:
        try:
            async with contextlib.aclosing(self._answer(kwargs)) as events:
                async for event in events:
                    await self._note_progress(event, progress)
                    yield event
            progress.is_over = True
        except (ModelRequestError, ModelBehaviorError):
            if progress.response is None or progress.is_over:
                raise

    async def _opened(self, kwargs: dict[str, Any]) -> Events:
        return await opened(self._bounded, kwargs)

    @property
    def _bounded(self) -> AsyncOpenAI:
        """The client, held to the limits of the call in progress."""
        return client_of(self._client, self._limits)

    @property
    def _by(self) -> str:
        """Who accepts a call: of several models of a run, only this one can be asked for it."""
        return f"{self.model}@{urlsplit(str(getattr(self._client, 'base_url', ''))).hostname}"

    async def _known(self) -> Response | None:
        """The answer that an earlier attempt at this call began, if there is one."""
        known = background.acceptance().response_of(self._by)
        return await background.known_response(self._bounded, known) if known else None

    async def _note_progress(self, event: Any, progress: _Progress) -> None:
        progress.response = getattr(event, "response", progress.response)
        progress.is_over = event.type in FAILURES
        if progress.is_over:
            await background.acceptance().over()
        elif progress.response is not None:
            await background.acceptance().accepted(progress.response.id, self._by)

    def _kwargs(self, request: Request, *, stream: bool = False) -> dict[str, Any]:
        is_left_to_prompt = request.prompt is not None and not self._model_is_explicit
        return arguments(request, None if is_left_to_prompt else self.model, stream=stream)

    def _supports_default_prompt_cache_key(self) -> bool:
        return is_official_openai_client(self._client)


@dataclass
class _Progress:
    """How far a background answer has come."""

    response: Response | None
    """The provider has it."""
    is_over: bool = False
    """Nothing more is to be said about it."""


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


def _note_end(span: Any, event: Any, request: Request, tracing: ModelTracing) -> None:
    if event.type == SUCCESS:
        _note(span, event.response, request, tracing)


def _note(span: Any, response: Response, request: Request, tracing: ModelTracing) -> None:
    if tracing.is_disabled():
        return
    span.span_data.response_id = response.id
    span.span_data.usage = model_usage_to_span_usage(usage_in(response))
    if tracing.include_data():
        span.span_data.response = response
        span.span_data.input = request.input
