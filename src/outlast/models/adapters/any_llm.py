"""Models that any-llm speaks to: ``AnyLLMModel("mistral/mistral-small-latest")``.

Needs the extra ``any-llm``; the library is loaded when the first request is made.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

from outlast.core.errors import UserError
from outlast.definitions.default_models import get_default_model
from outlast.definitions.model import Model, ModelProvider
from outlast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from outlast.definitions.run_items import ModelResponse
from outlast.models.adapters.foreign import chat_arguments, errors_as_ours, library, standing_in
from outlast.models.chat import OpenAIChatCompletionsModel
from outlast.models.chat_fields import field, text_field
from outlast.models.endpoint import Request
from outlast.models.errors import advice
from outlast.models.responses import OpenAIResponsesModel

Api = Literal["responses", "chat_completions"]
_GOOGLE = ("gemini", "vertexai")
_OF_TRANSPORT = ("extra_headers", "extra_query", "extra_body", "timeout")


class AnyLLM:
    """The class of any-llm that makes providers, loaded when it is used."""

    @staticmethod
    def create(provider_name: str, api_key: str | None = None, api_base: str | None = None) -> Any:
        """The provider called ``provider_name``.

        Raises:
            ImportError: any-llm is not installed.
        """
        return library("any_llm", "any-llm", "AnyLLMModel").AnyLLM.create(
            provider_name, api_key=api_key, api_base=api_base, unified_exceptions=True
        )


class AnyLLMModel(Model):
    """A model that any-llm speaks to.

    Args:
        model: Its provider, a slash, and its name there. Without a slash, OpenAI's.
        base_url: The endpoint, if it is not the provider's own.
        api_key: The key; else the provider's environment variable.
        api: Which API is used; the Responses API where the provider has it, if None.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        api: Api | None = None,
    ) -> None:
        provider, slash, rest = model.partition("/")
        self.model = model
        self.base_url = base_url
        self.api_key = api_key
        self.api = api
        self._provider_name, self._name = (provider, rest) if slash else ("openai", model)
        self._provider: Any = None
        self._chat = _Chat(model, standing_in(self._complete, base_url, read=_read_chat))
        self._responses = OpenAIResponsesModel(
            self._name, standing_in(self._respond, base_url, read=_read_response)
        )

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """What the failure says about trying again: status, headers, whether it was sent."""
        return advice(request)

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Ask for a reply and wait for all of it.

        Raises:
            ModelRequestError: The request failed.
            ModelBehaviorError: The answer is a failure, or is unusable.
            UserError: The provider cannot do what is asked.
        """
        return await self._of(kwargs).get_response(*args, **kwargs)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Ask for a reply and pass it on as events of the Responses API; the last one has all of it.

        Raises:
            ModelRequestError: The request or the connection failed.
            ModelBehaviorError: The stream ended with a failure, or too early.
            UserError: The provider cannot do what is asked.
        """
        events: Any = self._of(kwargs).stream_response(*args, **kwargs)
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def close(self) -> None:
        """Let go of the provider's client, as far as any-llm can."""
        self._provider = None

    def _of(self, kwargs: dict[str, Any]) -> OpenAIChatCompletionsModel | OpenAIResponsesModel:
        if kwargs.get("prompt") is not None:
            raise UserError(
                "AnyLLMModel does not support prompt-managed requests. Leave Agent(prompt=...) "
                "out, or use OpenAIResponsesModel."
            )
        can_respond = self._get_provider().SUPPORTS_RESPONSES
        if self.api == "responses" and not can_respond:
            raise UserError(
                f"Provider {self._provider_name!r} does not support the Responses API. Use "
                f"AnyLLMModel({self.model!r}, api='chat_completions')."
            )
        if can_respond and self.api != "chat_completions":
            return self._responses
        return self._chat

    def _get_provider(self) -> Any:
        if self._provider is None:
            with errors_as_ours():
                self._provider = AnyLLM.create(
                    self._provider_name, api_key=self.api_key, api_base=self.base_url
                )
            if self._provider_name in _GOOGLE:
                _let_users_return_results(self._provider)
        return self._provider

    async def _complete(self, **kwargs: Any) -> Any:
        kwargs = chat_arguments(self.model, {"reasoning_effort": None, **kwargs})
        if self._provider_name in _GOOGLE:
            kwargs["http_options"] = _with_headers(
                kwargs.get("http_options"), kwargs.pop("extra_headers")
            )
        if "extra_body" in kwargs:
            kwargs["extra_body"] = {**kwargs["extra_body"]}
        return await self._get_provider().acompletion(**{**kwargs, "model": self._name})

    async def _respond(self, **kwargs: Any) -> Any:
        provider, params = self._get_provider(), _response_params()
        if params is None:
            return await provider.aresponses(input_data=kwargs.pop("input"), **kwargs)
        of_transport = {
            name: kwargs.pop(name) for name in _OF_TRANSPORT if kwargs.get(name) is not None
        }
        known = {
            name: _plain(value) for name, value in kwargs.items() if name in params.model_fields
        }
        others = {name: value for name, value in kwargs.items() if name not in known}
        asked = params(**known)
        # Its public method has no place for headers.
        return await provider._aresponses(asked, **of_transport, **others)  # noqa: SLF001


class AnyLLMProvider(ModelProvider):
    """Models that any-llm speaks to.

    Args:
        api_key: The key; else that of each provider's environment variable.
        base_url: The endpoint, if it is not the provider's own.
        api: Which API is used; the Responses API where the provider has it, if None.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        api: Api | None = None,
    ) -> None:
        self._options = {"api_key": api_key, "base_url": base_url}
        self._api: Api | None = api

    def get_model(self, model_name: str | None) -> Model:
        """The model called ``model_name``; OpenAI's default model for None."""
        name = f"openai/{get_default_model()}" if model_name is None else model_name
        return AnyLLMModel(name, **self._options, api=self._api)


class _Chat(OpenAIChatCompletionsModel):
    """A chat model behind any-llm."""

    def _adapted(self, request: Request) -> Request:
        reasoning = request.settings.reasoning
        effort = reasoning.effort if reasoning is not None else None
        return replace(request, keeps_media=True, keeps_thinking=effort is not None)


# --- What providers answer. --------------------------------------------------------------


def _read_chat(answer: Any) -> Any:
    """A completion or a chunk, with the reasoning that any-llm has as an object as its text."""
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from pydantic import BaseModel

    if not isinstance(answer, BaseModel) or not isinstance(
        answer, ChatCompletion | ChatCompletionChunk
    ):
        answer = ChatCompletion.construct(**_plain(answer))
    choices = [_read_choice(choice) for choice in answer.choices or ()]
    return answer.model_copy(update={"choices": choices})


def _read_choice(choice: Any) -> Any:
    name = "message" if field(choice, "message") is not None else "delta"
    said = field(choice, name)
    if said is None or text_field(said, "reasoning_content"):
        return choice
    found = (_thought(field(said, each)) for each in ("reasoning", "thinking"))
    thought = next((text for text in found if text), None)
    if thought is None:
        return choice
    return choice.model_copy(update={name: said.model_copy(update={"reasoning": thought})})


def _thought(given: Any) -> str:
    return given if isinstance(given, str) else text_field(given, "content")


def _read_response(answer: Any) -> Any:
    """A response or an event; what comes as another class than `openai`'s becomes one of its."""
    from openai.types.responses import Response

    if field(answer, "type") is not None or isinstance(answer, Response):
        return answer
    return Response.construct(**_plain(answer))


def _plain(value: Any) -> Any:
    """``value`` as the JSON that its class stands for, without what is not set."""
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True, warnings=False)
    return [_without_nones(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def _without_nones(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    known = cast("Mapping[str, Any]", item)
    return {name: value for name, value in known.items() if value is not None}


# --- Google. -----------------------------------------------------------------------------


def _with_headers(options: Any, headers: dict[str, str]) -> Any:
    """Google's options of a request, with ``headers`` among theirs."""
    if options is None:
        return {"headers": headers}
    known: Any = field(options, "headers") or {}
    given: dict[str, str] = {**known, **headers}
    return _changed(options, headers=given)


def _let_users_return_results(provider: Any) -> None:
    """Let ``provider`` send results of functions as the user's, the only role Google takes."""
    convert = getattr(provider, "_convert_completion_params", None)
    if convert is None:
        return

    def converted(*args: Any, **kwargs: Any) -> Any:
        request = convert(*args, **kwargs)
        return {**request, "contents": [_by_user(each) for each in request["contents"]]}

    provider._convert_completion_params = converted  # noqa: SLF001


def _by_user(content: Any) -> Any:
    if field(content, "role") != "function":
        return content
    return _changed(content, role="user")


def _changed(given: Any, **fields: Any) -> Any:
    """A copy of a mapping or of a pydantic object, with other ``fields``."""
    if isinstance(given, Mapping):
        return {**cast("Mapping[str, Any]", given), **fields}
    return given.model_copy(update=fields)


def _response_params() -> Any:
    """any-llm's class of a request to the Responses API; None where it has none."""
    try:
        return importlib.import_module("any_llm.types.responses").ResponsesParams
    except (ModuleNotFoundError, AttributeError):
        return None
