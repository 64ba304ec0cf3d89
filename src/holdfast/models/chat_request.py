"""One call of Chat Completions: from what a caller asks to the arguments of the request."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from holdfast.core.errors import UserError
from holdfast.definitions.handoff import Handoff
from holdfast.models.chat_converter import Converter
from holdfast.models.chat_messages import as_dict, is_input_message
from holdfast.models.chat_parts import ALIASES, OFFICIAL_PARTS, Wire
from holdfast.models.chat_reply import clean_call_id, delta_logprobs, text_logprobs, url_citations
from holdfast.models.endpoint import is_official_openai_client
from holdfast.models.reasoning_replay import ShouldReplayReasoningContent
from holdfast.version import __version__

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from holdfast.definitions.output import AgentOutputSchemaBase
    from holdfast.definitions.settings import ModelSettings
    from holdfast.definitions.tool import Tool

HEADERS_OVERRIDE: ContextVar[dict[str, str] | None] = ContextVar(
    "holdfast_chat_headers", default=None
)
"""Headers that win over all others for the calls made in this context."""
HEADERS = {"User-Agent": f"Holdfast/Python {__version__}"}
_EFFORT = {"effort", "summary", "generate_summary"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a caller asks of the model, in the caller's terms."""

    model: str
    instructions: str | None
    input: str | list[Any]
    settings: ModelSettings
    tools: list[Tool]
    schema: AgentOutputSchemaBase | None
    handoffs: list[Handoff[Any, Any]]
    should_replay: ShouldReplayReasoningContent | None = None
    is_strict: bool = False
    keeps_media: bool = False
    """Whether a tool's result may have parts that are not text."""
    keeps_thinking: bool = False
    """Whether Claude gets its signed thinking back."""


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
    def convert_logprobs_for_output_text(cls, logprobs: Any) -> list[Any] | None:
        """The log probabilities of a whole text; None if there are none."""
        return text_logprobs(logprobs) or None

    @classmethod
    def convert_logprobs_for_text_delta(cls, logprobs: Any) -> list[Any] | None:
        """The log probabilities of a piece of a text; None if there are none."""
        return delta_logprobs(logprobs) or None

    @classmethod
    def convert_url_citations(cls, raw_annotations: Any) -> list[Any]:
        """The citations of a message, in Responses form."""
        return url_citations(raw_annotations)

    @classmethod
    def clean_gemini_tool_call_id(cls, tool_call_id: str, model: str | None = None) -> str:
        """A call's id without the signature that LiteLLM appends to it for Gemini."""
        return clean_call_id(tool_call_id, model)


def messages_of(asked: Asked, client: AsyncOpenAI) -> list[Any]:
    """The messages that a request carries.

    Raises:
        UserError: An item of the input has no form in Chat Completions, or not at OpenAI.
    """
    if ChatCmplHelpers.is_openai(client):
        _check_official(asked.input)
    base_url = getattr(client, "base_url", "")  # a fake may have none
    messages = Converter.items_to_messages(
        asked.input,
        model=asked.model,
        base_url=None if base_url is None else str(base_url).rstrip("/"),
        preserve_thinking_blocks=asked.keeps_thinking,
        preserve_tool_output_all_content=asked.keeps_media,
        should_replay_reasoning_content=asked.should_replay,
        strict_feature_validation=asked.is_strict,
    )
    if asked.instructions:
        messages = [{"content": asked.instructions, "role": "system"}, *messages]
    return messages


def arguments(
    asked: Asked, client: AsyncOpenAI, messages: list[Any], *, stream: bool
) -> dict[str, Any]:
    """What `chat.completions.create` is called with; `openai.omit` stands for what is not sent.

    Raises:
        TypeError: `extra_args` names an argument that is set elsewhere too.
        UserError: The tools or the tool choice cannot be sent.
    """
    from openai import omit

    settings = asked.settings
    tools = [Converter.tool_to_openai(tool) for tool in asked.tools]
    tools += [Converter.convert_handoff_tool(handoff) for handoff in asked.handoffs]
    reasoning = settings.reasoning
    given: dict[str, Any] = {
        "model": asked.model,
        "messages": messages,
        "tools": tools or None,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "frequency_penalty": settings.frequency_penalty,
        "presence_penalty": settings.presence_penalty,
        "max_tokens": settings.max_tokens,
        "tool_choice": Converter.convert_tool_choice(settings.tool_choice),
        "response_format": Converter.convert_response_format(asked.schema),
        "parallel_tool_calls": settings.parallel_tool_calls if tools else None,
        "stream": True if stream else None,
        "stream_options": ChatCmplHelpers.get_stream_options_param(client, settings, stream),
        "store": ChatCmplHelpers.get_store_param(client, settings),
        "reasoning_effort": reasoning.effort if reasoning is not None else None,
        "verbosity": settings.verbosity,
        "top_logprobs": settings.top_logprobs,
        "prompt_cache_retention": settings.prompt_cache_retention,
        "prompt_cache_options": settings.prompt_cache_options,
        "metadata": settings.metadata,
    }
    kwargs = {name: omit if value is None else value for name, value in given.items()}
    extra = settings.extra_args or {}
    if settings.top_logprobs is not None and "logprobs" not in extra:
        kwargs["logprobs"] = True
    headers = {**HEADERS, **(settings.extra_headers or {}), **(HEADERS_OVERRIDE.get() or {})}
    kwargs |= {"extra_headers": headers, "extra_query": settings.extra_query}
    kwargs["extra_body"] = settings.extra_body
    return _with_extra(kwargs, extra)


def unsupported_reasoning(settings: ModelSettings) -> list[str]:
    """What the settings say about reasoning that Chat Completions cannot be told."""
    reasoning = settings.reasoning
    if reasoning is None:
        return []
    said = reasoning.model_dump(exclude_none=True)
    return [f"reasoning.{name}" for name in said if name not in _EFFORT]


def _with_extra(kwargs: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    from openai import omit

    twice = sorted(name for name in extra if kwargs.get(name, omit) is not omit)
    if twice:
        kind = "argument" if len(twice) == 1 else "arguments"
        names = ", ".join(map(repr, twice))
        raise TypeError(f"chat.completions.create() got multiple values for keyword {kind} {names}")
    return kwargs | extra


def _check_official(given: str | list[Any]) -> None:
    """Refuse content that other providers take and OpenAI does not, before it is sent there."""
    for item in () if isinstance(given, str) else given:
        known = as_dict(item)
        if known is None or not is_input_message(known) or known["role"] != "user":
            continue
        parts: Any = known["content"]
        for part in () if isinstance(parts, str) else parts:
            kind = cast("Wire", part).get("type") if isinstance(part, Mapping) else None
            if ALIASES.get(str(kind), kind) not in OFFICIAL_PARTS:
                raise UserError(
                    f"Unsupported content type for official OpenAI Chat Completions: {kind!r}. It "
                    f"takes {', '.join(sorted(OFFICIAL_PARTS))}."
                )
