"""Models behind the Chat Completions API, which most providers have."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from outlast.core.errors import ModelAnswerFailed, ModelBehaviorError, UserError
from outlast.core.usage import Usage, model_usage_to_span_usage
from outlast.definitions.clock import wall_s
from outlast.definitions.limits import ModelLimits
from outlast.definitions.logger import logger
from outlast.definitions.run_items import ModelResponse
from outlast.models.call_options import limits_of
from outlast.models.chat_buffer import buffered
from outlast.models.chat_converter import Converter
from outlast.models.chat_fields import field, listed
from outlast.models.chat_history import warn_left_out
from outlast.models.chat_messages import Conversion
from outlast.models.chat_reply import (
    WITHHELD,
    clean_call_id,
    message_of,
    origin_of,
    output_items,
    raw_usage,
    refusal_part,
    text_logprobs,
    usage_of_completion,
)
from outlast.models.chat_stream import ChatCmplStreamHandler, Synthesis
from outlast.models.endpoint import HEADERS, SUCCESS, EndpointModel, Request, arguments_of
from outlast.models.errors import error_in, in_our_family, malformed
from outlast.models.event_stream import closing_of, let_go, read
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.models.fast_events import quick, saw_done
from outlast.models.finish import INCOMPLETE, check_end, end_of, warn_incomplete
from outlast.models.official import base_url_of, is_official_openai_client
from outlast.models.reasoning_replay import ShouldReplayReasoningContent
from outlast.models.streaming import mark_request, usage_in
from outlast.tracing import generation_span

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import Response

    from outlast.definitions.settings import ModelSettings

__all__ = [
    "HEADERS",
    "HEADERS_OVERRIDE",
    "ChatCmplHelpers",
    "ChatCmplStreamHandler",
    "Converter",
    "OpenAIChatCompletionsModel",
]

HEADERS_OVERRIDE: ContextVar[dict[str, str] | None] = ContextVar(
    "outlast_chat_headers", default=None
)
"""Headers that win over all others for the calls made in this context."""


class OpenAIChatCompletionsModel(EndpointModel):
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
    _signs_in = "extra_content"
    """Where the signature of a call goes back to Gemini."""
    _keeps_own_thinking = True
    """Whether signed thinking goes back to the model that it came from, whatever is asked now."""

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
        super().__init__(model, openai_client, model_limits)
        self._should_replay = should_replay_reasoning_content
        self._is_strict = strict_feature_validation
        self._buffers_calls = buffer_streamed_tool_calls
        self._lenient_eof = lenient_eof
        self._warned: set[str] = set()

    # --- One call. -----------------------------------------------------------------------

    async def _reply(self, request: Request, span: Any) -> ModelResponse:
        _, completion = await self._ask(request, span, stream=False)
        told = field(completion, "usage")
        usage = usage_of_completion(told)
        _note_usage(span, usage, request)
        with in_our_family():
            choice = _first_choice(completion)
            output = self._output(completion, choice)
        if request.shows_data():
            span.span_data.output = [_shown(choice, output)]
        return ModelResponse(
            output=output,
            usage=usage,
            response_id=None,
            request_id=getattr(completion, "_request_id", None),
            raw_usage=raw_usage(told) if self._keeps_raw_usage(request) else None,
        )

    async def _events(self, request: Request, span: object) -> AsyncGenerator[Any]:
        kwargs, stream = await self._ask(request, span, stream=True)
        synthesis = Synthesis(
            _empty_response(self.model, kwargs),
            self.model,
            is_strict=self._is_strict,
            keeps_raw_usage=self._keeps_raw_usage(request),
            needs_content=True,
            needs_end=not (self._lenient_eof or limits_of(self._limits).lenient_eof),
            saw_end=lambda: saw_done(stream),
        )
        chunks = buffered(quick(stream)) if self._buffers_calls else quick(stream)
        try:
            async with contextlib.aclosing(read(synthesis.events(chunks))) as events:
                async for event in events:
                    _mark(event, stream)
                    yield event
        except ModelBehaviorError:
            _note_usage(span, usage_of_completion(synthesis.usage), request)
            raise
        finally:
            with contextlib.suppress(Exception):  # What was to be said was said, or has failed.
                await let_go(closing_of(stream))

    async def _ask(
        self, request: Request, span: Any, *, stream: bool
    ) -> tuple[dict[str, Any], Any]:
        """The arguments of a request, and its answer: a completion, or a stream of chunks."""
        request = self._adapted(request)
        messages = self._messages(request)
        if request.shows_data():
            span.span_data.input = messages
        kwargs = arguments(request, self.model, self._client, messages, stream=stream)
        with in_our_family():
            completions: Any = self._bounded.chat.completions  # knows no plain dict
            return kwargs, await completions.create(**kwargs)

    def _adapted(self, request: Request) -> Request:
        """What is asked, as a library between us and the provider takes it."""
        return request

    def _messages(self, request: Request) -> list[Any]:
        conversion = Conversion(
            model=self.model,
            base_url=base_url_of(self._client).rstrip("/") or None,
            keeps_thinking=request.keeps_thinking,
            keeps_media=request.keeps_media,
            should_replay=self._should_replay,
            is_official=ChatCmplHelpers.is_openai(self._client),
            is_strict=self._is_strict,
            translates=not self._is_strict,
            signs_in=self._signs_in,
            keeps_own_thinking=self._keeps_own_thinking,
        )
        messages = conversion.of(request.input)
        warn_left_out(conversion.left_out, f"model {self.model!r}", self._warned)
        if request.instructions:
            messages = [{"content": request.instructions, "role": "system"}, *messages]
        return messages

    def _keeps_raw_usage(self, request: Request) -> bool:
        return self._tells_raw_usage and request.settings.preserve_raw_usage is True

    def _output(self, completion: object, choice: object) -> list[Any]:
        told, message = field(choice, "finish_reason"), field(choice, "message")
        if isinstance(message, str):
            raise malformed("the message is no object")
        about, items, reason = origin_of(completion, self.model), list[Any](), end_of(told)
        if message is not None:
            logprobs = text_logprobs(field(field(choice, "logprobs"), "content"))
            items = output_items(message, about, is_strict=self._is_strict, logprobs=logprobs)
        has_answer = any(item.type != "reasoning" for item in items)
        if reason == "content_filter" and not has_answer:
            return [*items, message_of([refusal_part(WITHHELD)], about)]
        check_end(
            "response",
            told,
            has_answer=has_answer,
            has_calls=bool(field(message, "tool_calls")),
            is_null=not items and field(message, "content") is None,
        )
        if reason in INCOMPLETE:
            items[-1].status = "incomplete"
            warn_incomplete(reason)
        return items

    # --- What Chat Completions cannot do. ------------------------------------------------

    def _check(self, request: Request) -> None:
        kept = {
            "previous_response_id": request.previous_response_id,
            "conversation_id": request.conversation_id,
        }
        if names := [name for name, value in kept.items() if value is not None]:
            self._pass_over(
                "OpenAIChatCompletionsModel does not support server-managed conversation state "
                f"({', '.join(names)}): nothing is kept at the provider, so the whole conversation "
                "has to be sent. Use a Responses model.",
                "unsupported server-managed conversation state",
            )
        if request.prompt is not None:
            self._pass_over(
                "Reusable prompts are only supported by the Responses API. "
                "OpenAIChatCompletionsModel does not support `prompt`; use a Responses model "
                "instead.",
                "`prompt`",
            )
        if names := unsupported_reasoning(request.settings):
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

    # --- Tracing. ------------------------------------------------------------------------

    def _span(self, request: Request) -> Any:
        about = request.settings.to_traceable_dict()
        if not request.tracing.include_data():
            about.pop("metadata", None)
        about["base_url"] = base_url_of(self._client)
        is_off = request.tracing.is_disabled()
        return generation_span(model=self.model, model_config=about, disabled=is_off)

    def _note(self, span: Any, response: Response, request: Request) -> None:
        _note_usage(span, usage_in(response), request)
        if request.shows_data():
            span.span_data.output = [response.model_dump()]


def _note_usage(span: Any, usage: Usage, request: Request) -> None:
    if not request.tracing.is_disabled():
        span.span_data.usage = model_usage_to_span_usage(usage)


def _first_choice(completion: object) -> Any:
    choices = listed(field(completion, "choices"), "choices")
    if not choices:
        raise error_in(completion) or ModelAnswerFailed(
            "ChatCompletion response has no choices (possible provider error payload). Check the "
            "model's name and the base URL."
        )
    if choices[0] is None or isinstance(choices[0], str):
        raise malformed("a choice is no object")
    return choices[0]


def _mark(event: Any, stream: Any) -> None:
    """Let the last event's response say which request it answers."""
    headers = field(field(stream, "response"), "headers") if event.type == SUCCESS else None
    request_id = None if headers is None else headers.get("x-request-id")
    if request_id is not None:
        mark_request(event.response, request_id)


def _empty_response(model: str, kwargs: dict[str, Any]) -> Any:
    from openai import omit
    from openai.types.responses import Response

    choice: Any = kwargs.get("tool_choice", omit)
    return Response(
        id=FAKE_RESPONSES_ID,
        created_at=wall_s(),
        model=model,
        object="response",
        output=[],
        tool_choice=choice if choice in ("auto", "required", "none") else "auto",
        tools=[],
        top_p=None,
        parallel_tool_calls=kwargs.get("parallel_tool_calls") is True,
    )


def _shown(choice: object, output: list[Any]) -> dict[str, Any]:
    """The message as its span shows it; with the refusal that stands for a withheld one."""
    message = field(choice, "message")
    shown: dict[str, Any] = {} if message is None else message.model_dump(warnings=False)
    last = output[-1] if output else None
    if last is not None and last.type == "message" and last.content[0].type == "refusal":
        shown["refusal"] = last.content[0].refusal
    return shown


# --- What is asked. ----------------------------------------------------------------------


class ChatCmplHelpers:
    """What depends on whose endpoint it is, or on the model's family."""

    @classmethod
    def is_openai(cls, client: AsyncOpenAI) -> bool:
        """Whether ``client`` talks to OpenAI itself."""
        return is_official_openai_client(client)

    @classmethod
    def get_store_param(cls, client: AsyncOpenAI, model_settings: ModelSettings) -> bool | None:
        """Whether the provider is to keep the answer; only OpenAI is asked to by default."""
        if model_settings.store is not None:
            return model_settings.store
        return True if cls.is_openai(client) else None

    @classmethod
    def get_stream_options_param(
        cls, client: AsyncOpenAI, model_settings: ModelSettings, stream: bool
    ) -> dict[str, bool] | None:
        """Whether a stream is to say what it cost; only OpenAI is asked to by default."""
        wanted = model_settings.include_usage
        if not stream or (wanted is None and not cls.is_openai(client)):
            return None
        return {"include_usage": True if wanted is None else wanted}

    @classmethod
    def clean_gemini_tool_call_id(cls, tool_call_id: str, model: str | None = None) -> str:
        """A call's id without the signature that LiteLLM appends to it for Gemini."""
        return clean_call_id(tool_call_id, model)


def arguments(
    request: Request, model: str, client: AsyncOpenAI, messages: list[Any], *, stream: bool
) -> dict[str, Any]:
    """What `chat.completions.create` is called with.

    Raises:
        UserError: The tools or the tool choice cannot be sent.
    """
    settings = request.settings
    tools = [Converter.tool_to_openai(tool) for tool in request.tools]
    tools += [Converter.convert_handoff_tool(handoff) for handoff in request.handoffs]
    given: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "tools": tools or None,
        "frequency_penalty": settings.frequency_penalty,
        "presence_penalty": settings.presence_penalty,
        "max_tokens": settings.max_tokens,
        "tool_choice": Converter.convert_tool_choice(settings.tool_choice),
        "response_format": Converter.convert_response_format(request.schema),
        "parallel_tool_calls": settings.parallel_tool_calls if tools else None,
        "stream": True if stream else None,
        "stream_options": ChatCmplHelpers.get_stream_options_param(client, settings, stream),
        "store": ChatCmplHelpers.get_store_param(client, settings),
        "reasoning_effort": settings.reasoning.effort if settings.reasoning is not None else None,
        "verbosity": settings.verbosity,
    }
    if settings.top_logprobs is not None and "logprobs" not in (settings.extra_args or {}):
        given["logprobs"] = True
    return arguments_of("chat.completions.create", given, settings, HEADERS_OVERRIDE.get())


def unsupported_reasoning(settings: ModelSettings) -> list[str]:
    """What the settings say about reasoning that Chat Completions cannot be told."""
    if settings.reasoning is None:
        return []
    said = settings.reasoning.model_dump(exclude_none=True)
    known = {"effort", "summary", "generate_summary"}
    return [f"reasoning.{name}" for name in said if name not in known]
