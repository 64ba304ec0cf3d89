"""One call of Chat Completions: from what a caller asks to the arguments of the request."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from holdfast.core.errors import UserError
from holdfast.models.chat_converter import Converter
from holdfast.models.chat_messages import as_dict, is_input_message
from holdfast.models.chat_parts import ALIASES, OFFICIAL_PARTS, Wire
from holdfast.models.chat_reply import clean_call_id
from holdfast.models.endpoint import Request, arguments_of, is_official_openai_client

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from holdfast.definitions.settings import ModelSettings

HEADERS_OVERRIDE: ContextVar[dict[str, str] | None] = ContextVar(
    "holdfast_chat_headers", default=None
)
"""Headers that win over all others for the calls made in this context."""


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
    """What `chat.completions.create` is called with; `openai.omit` stands for what is not sent.

    Raises:
        TypeError: `extra_args` names an argument that is set elsewhere too.
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


def check_official(given: str | list[Any]) -> None:
    """Refuse content that other providers take and OpenAI does not, before it is sent there.

    Raises:
        UserError: There is such content.
    """
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
