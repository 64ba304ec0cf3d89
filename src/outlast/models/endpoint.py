"""What models behind an endpoint share: one call from end to end, whose endpoint it is, who asks again.

Some features exist only at OpenAI's own endpoints.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlast.core.errors import ModelRequestError
from outlast.definitions.handoff import Handoff
from outlast.definitions.limits import ModelEndpoint, ModelLimits
from outlast.definitions.model import Model, ModelTracing
from outlast.models.call_ids import CallIds
from outlast.models.call_options import Asking, asked, asking
from outlast.models.errors import advice, told_to
from outlast.models.guard import is_guardable, with_guard
from outlast.models.near_names import meant_model
from outlast.models.official import is_official_openai_client
from outlast.version import __version__

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import (
        Response,
        ResponseInputItemParam,
        ResponsePromptParam,
        ResponseStreamEvent,
    )

    from outlast.definitions.output import AgentOutputSchemaBase
    from outlast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from outlast.definitions.run_items import ModelResponse
    from outlast.definitions.settings import ModelSettings
    from outlast.definitions.tool import Tool

HEADERS = {"User-Agent": f"Outlast/Python {__version__}"}
SUCCESS = "response.completed"
"""The last event of a stream that has an answer."""


@dataclass(frozen=True)
class Request:
    """What a caller asks of a model, in the caller's terms."""

    instructions: str | None
    input: str | list[Any]
    settings: ModelSettings
    tools: list[Tool]
    schema: AgentOutputSchemaBase | None
    handoffs: list[Handoff]
    tracing: ModelTracing
    previous_response_id: str | None = None
    conversation_id: str | None = None
    prompt: ResponsePromptParam | None = None
    keeps_media: bool = False
    """Whether a tool's result may have parts that are not text, where the API has only text."""
    keeps_thinking: bool = False
    """Whether Claude gets its signed thinking back."""

    def shows_data(self) -> bool:
        """Whether the call's span may say what was said."""
        return self.tracing.include_data() and not self.tracing.is_disabled()


class EndpointModel(Model):
    """A model that an `openai` client asks. Its kinds say what is sent and what an answer means."""

    def __init__(
        self, model: str, openai_client: AsyncOpenAI, model_limits: ModelLimits | None = None
    ) -> None:
        self.model = model
        self._client = openai_client
        self._limits = model_limits

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """What the failure says about trying again: status, headers, whether it was sent."""
        return advice(request)

    def endpoint(self) -> ModelEndpoint | None:
        """The client's number of retries, and the limits of this model; None for a fake client."""
        client = self._client
        return ModelEndpoint(client.max_retries, self._limits) if is_guardable(client) else None

    async def get_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[ResponseInputItemParam],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        prompt: ResponsePromptParam | None = None,
    ) -> ModelResponse:
        """Ask for a reply and wait for all of it.

        Raises:
            ModelRequestError: The request failed. It is also the `openai` library's own error.
            ModelBehaviorError: The answer is a failure, is malformed, or is empty or incomplete.
            AgentsException: The answer is sound.
            UserError: The API cannot do what is asked.
        """
        request = Request(
            system_instructions, input, model_settings, tools, output_schema, handoffs, tracing,
            previous_response_id, conversation_id, prompt,
        )  # fmt: skip
        self._check(request)
        failing = "Error getting response"
        with self._span(request) as span, told_to(span, failing, tracing), self._named():
            reply = await self._reply(request, span)
            ids = CallIds(request.input, self.model)
            reply.output = [ids.settle(item) for item in reply.output]
            return reply

    async def stream_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[ResponseInputItemParam],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        prompt: ResponsePromptParam | None = None,
    ) -> AsyncIterator[ResponseStreamEvent]:
        """Ask for a reply and pass on events of the Responses API; the last one has all of it.

        Raises:
            ModelRequestError: The request or the connection failed.
            ModelStreamTruncated: The stream ended before the answer did.
            ModelBehaviorError: The answer is a failure, is malformed, or is empty or incomplete.
            AgentsException: The answer is sound.
            UserError: The API cannot do what is asked.
        """
        request = Request(
            system_instructions, input, model_settings, tools, output_schema, handoffs, tracing,
            previous_response_id, conversation_id, prompt,
        )  # fmt: skip
        self._check(request)
        with (
            _apart(self._span(request)) as span,
            told_to(span, "Error streaming response", tracing),
            self._named(),
        ):
            ids = CallIds(request.input, self.model)
            async with contextlib.aclosing(ids.events(self._events(request, span))) as events:
                async for event in events:
                    self._note_end(span, event, request)
                    yield event

    def _check(self, request: Request) -> None:
        """Refuse what the API cannot do, before there is a span. Refuses nothing by default."""

    @abstractmethod
    def _span(self, request: Request) -> Any:
        """The span of a call, not yet started."""

    @abstractmethod
    async def _reply(self, request: Request, span: object) -> ModelResponse:
        """The whole answer."""

    @abstractmethod
    def _events(self, request: Request, span: object) -> AsyncGenerator[Any]:
        """The answer as it comes. The last event has all of it."""

    @abstractmethod
    def _note(self, span: object, response: Response, request: Request) -> None:
        """Let the span say what a finished stream has answered."""

    def _note_end(self, span: Any, event: Any, request: Request) -> None:
        if event.type == SUCCESS:
            self._note(span, event.response, request)

    @contextlib.contextmanager
    def _named(self) -> Generator[None]:
        """Let an error about an unknown model say which name was meant."""
        try:
            yield
        except ModelRequestError as error:
            if error.status == 404 and (meant := meant_model(self.model)):  # noqa: PLR2004 (not found)
                error.message = f"{error.message}{meant}"
                error.args = (error.message,)
            raise

    @property
    def _bounded(self) -> AsyncOpenAI:
        """The client, held to the limits of the call in progress."""
        return client_of(self._client, self._limits)

    def _supports_default_prompt_cache_key(self) -> bool:
        return is_official_openai_client(self._client)


@contextlib.contextmanager
def _apart(span: Any) -> Generator[Any]:
    """A span that is never current: its stream's consumer runs between our steps."""
    span.start()
    try:
        yield span
    finally:
        span.finish()


def arguments_of(
    call: str,
    given: Mapping[str, Any],
    settings: ModelSettings,
    headers: Mapping[str, str] | None,
) -> dict[str, Any]:
    """What the library's ``call`` is called with; `openai.omit` stands for what is not sent.

    That is what is ``given``, where it is not None, then what every call is told of ``settings``.
    ``headers`` win over all others.

    Raises:
        TypeError: `extra_args` names an argument that is set elsewhere too.
    """
    from openai import omit

    told = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_logprobs": settings.top_logprobs,
        "prompt_cache_retention": settings.prompt_cache_retention,
        "prompt_cache_options": settings.prompt_cache_options,
        "metadata": settings.metadata,
        **given,
    }
    kwargs = {name: omit if value is None else value for name, value in told.items()}
    kwargs["extra_headers"] = {**HEADERS, **(settings.extra_headers or {}), **(headers or {})}
    kwargs |= {"extra_query": settings.extra_query, "extra_body": settings.extra_body}
    extra = settings.extra_args or {}
    twice = sorted(name for name in extra if kwargs.get(name, omit) is not omit)
    if twice:
        kind = "argument" if len(twice) == 1 else "arguments"
        names = ", ".join(map(repr, twice))
        raise TypeError(f"{call}() got multiple values for keyword {kind} {names}")
    return kwargs | extra


# --- The client. -------------------------------------------------------------------------


def asking_once() -> AbstractContextManager[None]:
    """Let the calls made in here fail at the first failure: their caller asks again itself."""
    return asking(Asking(once=True))


def client_of(client: AsyncOpenAI, own: ModelLimits | None = None) -> AsyncOpenAI:
    """``client``, with its answers bounded, and without retries of its own where it is asked once.

    It stays as it is itself. One that is not of the `openai` library is returned as it is, at most
    without retries. ``own`` limits are those of a model, for calls that bring none.
    """
    once = asked().once
    if is_guardable(client):
        return with_guard(client, own, once=once)
    # A stand-in may have nothing but the calls.
    has_options = once and hasattr(client, "with_options")
    return client.with_options(max_retries=0) if has_options else client
