"""Models behind OpenAI's Responses API: a request out of definitions, events and a reply back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from holdfast.core.errors import ModelBehaviorError
from holdfast.core.usage import model_usage_to_span_usage
from holdfast.models import background
from holdfast.models.endpoint import EndpointModel, Request, base_url_of
from holdfast.models.errors import ModelRequestError, in_our_family, response_error
from holdfast.models.responses_request import HEADERS_OVERRIDE, arguments
from holdfast.models.responses_stream import FAILURES, http_events, passed_on
from holdfast.models.responses_tools import ConvertedTools, Converter
from holdfast.models.shape import checked_response
from holdfast.models.streaming import reply_of, usage_in
from holdfast.tracing import response_span

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import Response

    from holdfast.definitions.limits import ModelLimits
    from holdfast.definitions.run_items import ModelResponse

__all__ = ["HEADERS_OVERRIDE", "ConvertedTools", "Converter", "OpenAIResponsesModel"]


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

    async def _reply(self, request: Request, span: Any) -> ModelResponse:
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
                response = checked_response(await responses.create(**kwargs))
        # An endpoint that only resembles OpenAI's may send no status.
        if getattr(response, "status", None) in ("failed", "incomplete", "cancelled"):
            await background.acceptance().over()
            raise response_error(response)
        if background.is_open(response):
            await background.acceptance().accepted(response.id, self._by)
            return await background.finished(self._bounded, response)
        return response

    def _events(self, request: Request, span: Any) -> AsyncGenerator[Any]:
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

    @property
    def _by(self) -> str:
        """Who accepts a call: of several models of a run, only this one can be asked for it."""
        return f"{self.model}@{urlsplit(base_url_of(self._client)).hostname}"

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

    def _note(self, span: Any, response: Response, request: Request) -> None:
        if request.tracing.is_disabled():
            return
        span.span_data.response_id = response.id
        span.span_data.usage = model_usage_to_span_usage(usage_in(response))
        if request.tracing.include_data():
            span.span_data.response = response
            span.span_data.input = request.input


@dataclass
class _Progress:
    """How far a background answer has come."""

    response: Response | None
    """The provider has it."""
    is_over: bool = False
    """Nothing more is to be said about it."""
