"""Models behind the Chat Completions API. The class is here; its transport is not yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.core.errors import UserError
from holdfast.definitions.model import Model
from holdfast.models.errors import advice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from openai import AsyncOpenAI
    from openai.types.responses import ResponseStreamEvent

    from holdfast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from holdfast.definitions.run_items import ModelResponse


class OpenAIChatCompletionsModel(Model):
    """A model behind Chat Completions.

    Args:
        model: Its name.
        openai_client: Yours to configure and to close.
        should_replay_reasoning_content: Whether earlier reasoning is sent along again.
        strict_feature_validation: Refuse what the API cannot do instead of leaving it out.
        buffer_streamed_tool_calls: Hold streamed tool calls back until they are complete.
    """

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI,
        should_replay_reasoning_content: Callable[..., bool] | None = None,
        strict_feature_validation: bool = False,
        buffer_streamed_tool_calls: bool = False,
    ) -> None:
        self.model = model
        self._client = openai_client
        self._should_replay_reasoning_content = should_replay_reasoning_content
        self._strict_feature_validation = strict_feature_validation
        self._buffer_streamed_tool_calls = buffer_streamed_tool_calls

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """What the failure says about trying again: status, headers, whether it was sent."""
        return advice(request)

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Not available yet.

        Raises:
            UserError: Always.
        """
        del args, kwargs
        self._refuse()

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[ResponseStreamEvent]:
        """Not available yet.

        Raises:
            UserError: Always.
        """
        del args, kwargs
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UserError(
            f"Model {self.model!r} is behind Chat Completions, which this version cannot speak yet. "
            "Use the Responses API: set_default_openai_api('responses'), or "
            "OpenAIResponsesModel(model, client) where the endpoint has it."
        )
