"""Models that LiteLLM speaks to: ``LitellmModel("anthropic/claude-sonnet-4-5")``.

Needs the extra ``litellm``; the library is loaded when the first model is made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from outlast.definitions.default_models import get_default_model
from outlast.definitions.logger import logger
from outlast.definitions.model import Model, ModelProvider
from outlast.definitions.settings import ModelSettings
from outlast.models.adapters.foreign import chat_arguments, library, results_at_calls, standing_in
from outlast.models.call_options import asked as how_asked, limits_of
from outlast.models.chat import OpenAIChatCompletionsModel
from outlast.models.chat_fields import field
from outlast.models.endpoint import Request
from outlast.models.errors import truncated
from outlast.models.reasoning_replay import ShouldReplayReasoningContent

_EFFORT = "reasoning_effort"
_OPENAI_LIKE = ("openai/", "custom_openai/", "hosted_vllm/", "openrouter/")


class LitellmModel(OpenAIChatCompletionsModel):
    """A model that LiteLLM speaks to.

    Args:
        model: Its name at LiteLLM: provider, slash, model.
        base_url: The endpoint, if it is not the provider's own.
        api_key: The key; else the provider's environment variable.
        should_replay_reasoning_content: Whether earlier reasoning is sent along again.

    Raises:
        ImportError: LiteLLM is not installed.
    """

    _tells_raw_usage = False  # LiteLLM rewrites it.
    _keeps_own_thinking = False  # It goes back where thinking is asked for.

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        should_replay_reasoning_content: ShouldReplayReasoningContent | None = None,
    ) -> None:
        _library()
        self.base_url = base_url
        self.api_key = api_key
        # LiteLLM knows Gemini itself; what is only of OpenAI's kind it passes on as it is.
        is_passed_on = model.startswith(_OPENAI_LIKE)
        self._signs_in = "extra_content" if is_passed_on else "provider_specific_fields"
        super().__init__(
            model,
            standing_in(self._complete, base_url, check_end=_check_end),
            should_replay_reasoning_content,
            lenient_eof=True,  # LiteLLM ends every stream itself; `_check_end` looks behind that.
        )

    def _adapted(self, request: Request) -> Request:
        effort = self._get_reasoning_effort(request.settings)
        return replace(
            request,
            keeps_media=True,
            keeps_thinking=effort is not None,
            settings=_for_litellm(request.settings, effort),
        )

    def _get_reasoning_effort(self, settings: ModelSettings) -> Any:
        """How much the model is to think: as the settings say, else as an extra of the request."""
        if settings.reasoning is not None and settings.reasoning.effort is not None:
            if settings.reasoning.summary is not None:
                logger.warning("LitellmModel does not forward Reasoning.summary; it is ignored.")
            return settings.reasoning.effort
        return field(settings.extra_body, _EFFORT) or field(settings.extra_args, _EFFORT)

    def _fix_tool_message_ordering(self, messages: list[Any]) -> list[Any]:
        return results_at_calls(messages)

    async def _complete(self, **kwargs: object) -> Any:
        if kwargs.get("tools"):
            # Else LiteLLM looks for MCP servers that its proxy might have.
            kwargs.setdefault("_skip_mcp_handler", True)
        if how_asked().once:
            kwargs |= {"max_retries": 0, "num_retries": 0}
        arguments = chat_arguments(self.model, kwargs)
        if not kwargs.get("tools") and any(name in self.model.lower() for name in _NEEDS_TOOLS):
            arguments |= _for_calls_of_others(arguments["messages"])
        return await _library().acompletion(
            **arguments, api_key=self.api_key, base_url=self.base_url
        )


class LitellmProvider(ModelProvider):
    """Models that LiteLLM speaks to, with its own ways to find their keys."""

    def get_model(self, model_name: str | None) -> Model:
        """The model called ``model_name``; the default model for None.

        Raises:
            ImportError: LiteLLM is not installed.
        """
        return LitellmModel(get_default_model() if model_name is None else model_name)


def _for_litellm(settings: ModelSettings, effort: object) -> ModelSettings:
    """The settings with the effort in one place, and what LiteLLM takes as extras among these."""
    extra = {**(settings.extra_args or {})}
    extra.pop(_EFFORT, None)
    if effort is not None:
        extra[_EFFORT] = effort
    if settings.top_logprobs is not None:
        extra = {"logprobs": True, **extra, "top_logprobs": settings.top_logprobs}
    body: Any = settings.extra_body
    if field(body, _EFFORT) is not None:
        body = {name: body[name] for name in body if name != _EFFORT} or None
    return replace(
        settings, reasoning=None, top_logprobs=None, extra_body=body, extra_args=extra or None
    )


_NEEDS_TOOLS = ("claude", "anthropic", "bedrock")
"""Models to which LiteLLM sends no calls of a conversation unless there are tools, too."""


def _for_calls_of_others(messages: list[Any]) -> dict[str, Any]:
    """Stand-ins for the tools that earlier agents have called, and that this one has not."""
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    names = dict.fromkeys(call["function"]["name"] for call in calls)
    if not names:
        return {}
    nothing: dict[str, Any] = {"type": "object", "properties": {}}
    about: dict[str, Any] = {"description": "Cannot be called any more.", "parameters": nothing}
    return {"tools": [{"type": "function", "function": {"name": n, **about}} for n in names]}


def _check_end(stream: object) -> None:
    # None where LiteLLM has made up the `finish_reason`, because the provider sent none.
    received = getattr(stream, "received_finish_reason", "")
    if received is None and not limits_of().lenient_eof:
        raise truncated("its finish_reason")


def _library() -> Any:
    return library("litellm", "LiteLLM", "LitellmModel")
