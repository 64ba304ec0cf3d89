"""What can be asked for a completion, and what knows such things by name."""

from __future__ import annotations

import abc
import enum
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai.types.responses.response_prompt_param import ResponsePromptParam

    from outlast.definitions.limits import ModelEndpoint
    from outlast.definitions.openai_types import TResponseInputItem, TResponseStreamEvent
    from outlast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from outlast.definitions.run_items import ModelResponse
    from outlast.definitions.settings import ModelSettings


class ModelTracing(enum.Enum):
    """What a model call may write to its span."""

    DISABLED = 0
    ENABLED = 1
    ENABLED_WITHOUT_DATA = 2

    def is_disabled(self) -> bool:
        """Whether there is no span at all."""
        return self is ModelTracing.DISABLED

    def include_data(self) -> bool:
        """Whether the span may hold what was said."""
        return self is ModelTracing.ENABLED


class Model(abc.ABC):
    """A language model."""

    async def close(self) -> None:  # noqa: B027 (most need nothing)
        """Let go of connections. Does nothing by default."""

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """What the provider says about trying a failed call again; None if it says nothing."""
        del request
        return None

    def endpoint(self) -> ModelEndpoint | None:
        """What an engine has to know to make failed requests again in the place of the client.

        None, the default, leaves that to the model.
        """
        return None

    @abc.abstractmethod
    async def get_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Any],
        output_schema: Any | None,
        handoffs: list[Any],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> ModelResponse:
        """The model's whole answer.

        Args:
            system_instructions: The system prompt.
            input: The conversation, as items of the Responses API.
            model_settings: Temperature and the like.
            tools: The tools that the model may call.
            output_schema: What the final message has to look like; None for plain text.
            handoffs: The agents that the model may hand the conversation to.
            tracing: What may be traced.
            previous_response_id: The answer that this call continues, kept by the provider.
            conversation_id: The conversation that this call continues, kept by the provider.
            prompt: A prompt that the provider keeps.
        """

    @abc.abstractmethod
    def stream_response(  # noqa: PLR0913 (upstream's signature)
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Any],
        output_schema: Any | None,
        handoffs: list[Any],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> AsyncIterator[TResponseStreamEvent]:
        """The model's answer as it comes. The last event is `response.completed`.

        Takes what `get_response` takes.
        """


class ModelProvider(abc.ABC):
    """What finds models by name."""

    @abc.abstractmethod
    def get_model(self, model_name: str | None) -> Model:
        """The model of that name; the provider's default if there is no name."""

    async def aclose(self) -> None:  # noqa: B027 (most need nothing)
        """Let go of connections. Does nothing by default."""
