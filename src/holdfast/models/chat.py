"""Models behind the Chat Completions API, which most providers have."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from typing import TYPE_CHECKING, Any

from holdfast.core.errors import ModelBehaviorError, UserError
from holdfast.core.usage import Usage, model_usage_to_span_usage
from holdfast.definitions.handoff import Handoff
from holdfast.definitions.limits import ModelEndpoint, ModelLimits
from holdfast.definitions.logger import logger
from holdfast.definitions.model import Model, ModelTracing
from holdfast.definitions.run_items import ModelResponse
from holdfast.models.asking import limits_of
from holdfast.models.chat_converter import Converter
from holdfast.models.chat_reply import (
    WITHHELD,
    field,
    listed,
    message_of,
    raw_usage,
    refusal_part,
    text_logprobs,
    usage_of_completion,
)
from holdfast.models.chat_request import (
    HEADERS,
    HEADERS_OVERRIDE,
    Asked,
    ChatCmplHelpers,
    arguments,
    messages_of,
    unsupported_reasoning,
)
from holdfast.models.chat_stream import (
    INCOMPLETE,
    ChatCmplStreamHandler,
    out_of_length,
    warn_incomplete,
    without_calls,
)
from holdfast.models.endpoint import client_of, endpoint_of, is_official_openai_client
from holdfast.models.errors import advice, in_our_family, malformed, told_to
from holdfast.models.fake_id import FAKE_RESPONSES_ID
from holdfast.models.parsed import quick
from holdfast.models.reasoning_replay import ShouldReplayReasoningContent
from holdfast.models.streaming import mark_request, usage_in
from holdfast.models.wire import closing_of, ending, let_go, read
from holdfast.tracing import generation_span

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import (
        ResponseInputItemParam,
        ResponsePromptParam,
        ResponseStreamEvent,
    )

    from holdfast.definitions.output import AgentOutputSchemaBase
    from holdfast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from holdfast.definitions.settings import ModelSettings
    from holdfast.definitions.tool import Tool

__all__ = [
    "HEADERS",
    "HEADERS_OVERRIDE",
    "ChatCmplHelpers",
    "ChatCmplStreamHandler",
    "Converter",
    "OpenAIChatCompletionsModel",
]

_PROMPT = (
    "Reusable prompts are only supported by the Responses API. OpenAIChatCompletionsModel does not "
    "support `prompt`; use a Responses model instead."
)


class OpenAIChatCompletionsModel(Model):
    """A model behind Chat Completions.

    Args:
        model: Its name.
        openai_client: Yours to configure and to close.
        should_replay_reasoning_content: Whether earlier reasoning is sent along again. DeepSeek
            gets its own if None.
        strict_feature_validation: Refuse what the API cannot do instead of leaving it out.
        buffer_streamed_tool_calls: Hold streamed tool calls back until they are complete.
        lenient_eof: Take a stream for complete that ends without a `finish_reason`, for endpoints
            that never send one. A connection that was cut then looks like a short answer.
        model_limits: For runs that bring none.
    """

    _tells_raw_usage = True
    """Whether the usage comes in the provider's own words."""

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        model: str,
        openai_client: AsyncOpenAI,
        should_replay_reasoning_content: ShouldReplayReasoningContent | None = None,
        strict_feature_validation: bool = False,
        buffer_streamed_tool_calls: bool = False,
        *,
        lenient_eof: bool = False,
        model_limits: ModelLimits | None = None,
    ) -> None:
        self.model = model
        self._client = openai_client
        self._should_replay = should_replay_reasoning_content
        self._is_strict = strict_feature_validation
        self._buffers_calls = buffer_streamed_tool_calls
        self._lenient_eof = lenient_eof
        self._limits = model_limits
        self._warned: set[str] = set()

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
            ModelBehaviorError: The answer has no choices, or its limit has left nothing of it.
            AgentsException: The answer is sound.
            UserError: Chat Completions cannot do what is asked.
        """
        self._check_state(previous_response_id, conversation_id, prompt)
        with self._span(model_settings, tracing, "Error getting response") as span:
            completion = await self._fetch_response(
                system_instructions, input, model_settings, tools, output_schema, handoffs,
                span, tracing, stream=False,
            )  # fmt: skip
            usage = usage_of_completion(field(completion, "usage"))
            _note_usage(span, usage, tracing)
            with in_our_family():
                choice = _first_choice(completion)
                output = self._output(completion, choice)
            if _shows_data(tracing):
                span.span_data.output = [_shown(choice, output)]
        keeps_raw = self._tells_raw_usage and model_settings.preserve_raw_usage is True
        return ModelResponse(
            output=output,
            usage=usage,
            response_id=None,
            request_id=getattr(completion, "_request_id", None),
            raw_usage=raw_usage(field(completion, "usage")) if keeps_raw else None,
        )

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
        """Ask for a reply and pass it on as events of the Responses API; the last one has all of it.

        Raises:
            ModelRequestError: The request or the connection failed.
            ModelStreamTruncated: The stream ended without a `finish_reason`.
            ModelBehaviorError: The answer is malformed, or its limit has left nothing of it.
            AgentsException: The answer is sound.
            UserError: Chat Completions cannot do what is asked.
        """
        self._check_state(previous_response_id, conversation_id, prompt)
        with self._span(model_settings, tracing, "Error streaming response") as span:
            response, stream = await self._fetch_response(
                system_instructions, input, model_settings, tools, output_schema, handoffs,
                span, tracing, stream=True,
            )  # fmt: skip
            read_events = self._events(span, response, stream, model_settings, tracing)
            async with contextlib.aclosing(read_events) as events:
                async for event in events:
                    yield event

    async def _fetch_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[Any],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        span: Any,
        tracing: ModelTracing,
        stream: bool = False,
        prompt: ResponsePromptParam | None = None,
    ) -> Any:
        """The provider's completion; for a stream, an empty Response and the stream."""
        del prompt  # has been refused or passed over
        self._handle_unsupported_reasoning_settings(model_settings)
        asked = Asked(
            model=self.model,
            instructions=system_instructions,
            input=input,
            settings=model_settings,
            tools=tools,
            schema=output_schema,
            handoffs=handoffs,
            should_replay=self._should_replay,
            is_strict=self._is_strict,
        )
        asked = self._adapted(asked)
        messages = messages_of(asked, self._client)
        if _shows_data(tracing):
            span.span_data.input = messages
        kwargs = arguments(asked, self._client, messages, stream=stream)
        with in_our_family():
            completions: Any = self._get_client().chat.completions  # knows no plain dict
            answer = await completions.create(**kwargs)
        return (_empty_response(self.model, kwargs), quick(answer)) if stream else answer

    def _adapted(self, asked: Asked) -> Asked:
        """What is asked, as a library between us and the provider takes it."""
        return asked

    def _get_client(self) -> AsyncOpenAI:
        return client_of(self._client, self._limits)

    async def _events(
        self,
        span: Any,
        response: Any,
        stream: Any,
        settings: ModelSettings,
        tracing: ModelTracing,
    ) -> AsyncGenerator[Any]:
        seen = _Seen()
        events = read(self._handled(response, seen.of(stream), settings))
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    _note_end(span, event, stream, tracing)
                    yield event
        except ModelBehaviorError:
            _note_usage(span, usage_of_completion(seen.usage), tracing)
            raise
        finally:
            with contextlib.suppress(
                Exception
            ):  # What was to be said has been said, or has failed.
                await let_go(closing_of(stream))

    def _handled(
        self, response: Any, chunks: AsyncIterator[Any], settings: ModelSettings
    ) -> AsyncIterator[Any]:
        if self._buffers_calls:
            chunks = ChatCmplStreamHandler.buffer_tool_call_stream(chunks)
        is_lenient = self._lenient_eof or limits_of(self._limits).lenient_eof
        return ChatCmplStreamHandler.handle_stream(
            response,
            chunks,
            model=self.model,
            strict_feature_validation=self._is_strict,
            preserve_raw_usage=self._tells_raw_usage and settings.preserve_raw_usage is True,
            raise_on_length_truncation=True,
            require_finish_reason=not is_lenient,
        )

    def _output(self, completion: Any, choice: Any) -> list[Any]:
        reason, message = field(choice, "finish_reason"), field(choice, "message")
        if message is None:
            return []
        if isinstance(message, str):
            raise malformed("the message is no object")
        about = {"model": self.model, "response_id": field(completion, "id")}
        about = {name: value for name, value in about.items() if value}
        items = Converter.message_to_output_items(
            message, provider_data=about, strict_feature_validation=self._is_strict
        )
        has_answer = any(item.type != "reasoning" for item in items)
        if reason == "content_filter" and not has_answer:
            return [*items, message_of([refusal_part(WITHHELD)], about)]
        if reason == "length" and not has_answer:
            raise out_of_length("response")
        if reason == "tool_calls" and not (has_answer or field(message, "tool_calls")):
            raise without_calls("response")
        if reason in INCOMPLETE:
            items[-1].status = "incomplete"
            warn_incomplete(reason)
        if logprobs := text_logprobs(field(field(choice, "logprobs"), "content")):
            _attach_logprobs(items, logprobs)
        return items

    # --- What Chat Completions cannot do. ------------------------------------------------

    def _check_state(
        self, previous_response_id: str | None, conversation_id: str | None, prompt: Any
    ) -> None:
        self._handle_unsupported_server_managed_conversation_state(
            previous_response_id=previous_response_id, conversation_id=conversation_id
        )
        if prompt is not None:
            self._pass_over(_PROMPT, "`prompt`")

    def _handle_unsupported_server_managed_conversation_state(
        self, *, previous_response_id: str | None, conversation_id: str | None
    ) -> None:
        given = {"previous_response_id": previous_response_id, "conversation_id": conversation_id}
        names = [name for name, value in given.items() if value is not None]
        if names:
            self._pass_over(
                "OpenAIChatCompletionsModel does not support server-managed conversation state "
                f"({', '.join(names)}): nothing is kept at the provider, so the whole conversation "
                "has to be sent. Use a Responses model.",
                "unsupported server-managed conversation state",
            )

    def _handle_unsupported_reasoning_settings(self, model_settings: ModelSettings) -> None:
        if names := unsupported_reasoning(model_settings):
            self._pass_over(
                f"Chat Completions cannot be told {', '.join(names)}. Use a Responses model.",
                "unsupported reasoning settings",
            )

    def _pass_over(self, problem: str, what: str) -> None:
        if self._is_strict:
            raise UserError(problem)
        if what not in self._warned:
            self._warned.add(what)
            logger.warning(
                "%s Ignoring %s; with strict_feature_validation this is an error.", problem, what
            )

    def _supports_default_prompt_cache_key(self) -> bool:
        return is_official_openai_client(self._client)

    # --- Tracing. ------------------------------------------------------------------------

    @contextlib.contextmanager
    def _span(self, settings: ModelSettings, tracing: ModelTracing, failure: str) -> Generator[Any]:
        about = settings.to_traceable_dict()
        if not tracing.include_data():
            about.pop("metadata", None)
        about["base_url"] = str(getattr(self._client, "base_url", "") or "")  # a fake may have none
        is_off = tracing.is_disabled()
        with (
            generation_span(model=self.model, model_config=about, disabled=is_off) as span,
            told_to(span, failure, tracing),
        ):
            yield span


def _shows_data(tracing: ModelTracing) -> bool:
    return tracing.include_data() and not tracing.is_disabled()


def _note_usage(span: Any, usage: Usage, tracing: ModelTracing) -> None:
    if not tracing.is_disabled():
        span.span_data.usage = model_usage_to_span_usage(usage)


def _note_end(span: Any, event: Any, stream: Any, tracing: ModelTracing) -> None:
    """Let the last event say which request it answers, and the span what it says."""
    if event.type != "response.completed":
        return
    _mark(event.response, stream)
    _note_usage(span, usage_in(event.response), tracing)
    if _shows_data(tracing):
        span.span_data.output = [event.response.model_dump()]


def _first_choice(completion: Any) -> Any:
    choices = listed(field(completion, "choices"), "choices")
    if not choices:
        raise ModelBehaviorError(
            "ChatCompletion response has no choices (possible provider error payload). Check the "
            "model's name and the base URL."
        )
    if choices[0] is None or isinstance(choices[0], str):
        raise malformed("a choice is no object")
    return choices[0]


class _Seen:
    """The usage in what has been read of a stream, for the span of one that fails."""

    def __init__(self) -> None:
        self.usage: Any = None

    async def of(self, stream: Any) -> AsyncIterator[Any]:
        async with ending(stream):
            async for chunk in stream:
                self.usage = field(chunk, "usage") or self.usage
                yield chunk


def _mark(response: Any, stream: Any) -> None:
    headers = field(field(stream, "response"), "headers")
    request_id = None if headers is None else headers.get("x-request-id")
    if request_id is not None:
        mark_request(response, request_id)


def _empty_response(model: str, kwargs: dict[str, Any]) -> Any:
    from openai import omit
    from openai.types.responses import Response

    choice: Any = kwargs.get("tool_choice", omit)
    return Response(
        id=FAKE_RESPONSES_ID,
        created_at=time.time(),
        model=model,
        object="response",
        output=[],
        tool_choice=choice if choice in ("auto", "required", "none") else "auto",
        tools=[],
        top_p=None,
        parallel_tool_calls=kwargs.get("parallel_tool_calls") is True,
    )


def _attach_logprobs(items: list[Any], logprobs: list[Any]) -> None:
    for item in items:
        for part in item.content if item.type == "message" else ():
            if part.type == "output_text":
                part.logprobs = logprobs
                return


def _shown(choice: Any, output: list[Any]) -> dict[str, Any]:
    """The message as its span shows it; with the refusal that stands for a withheld one."""
    message = field(choice, "message")
    shown: dict[str, Any] = {} if message is None else message.model_dump(warnings=False)
    last = output[-1] if output else None
    if last is not None and last.type == "message" and last.content[0].type == "refusal":
        shown["refusal"] = last.content[0].refusal
    return shown
