"""Testing workflows that run agents, without a model: models that say what a test has written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self

from temporalio.client import Client

from outlast.core.usage import Usage
from outlast.definitions.model import Model, ModelProvider
from outlast.definitions.run_items import ModelResponse
from outlast.temporal.model_activity import ModelActivityParameters
from outlast.temporal.plugin import OpenAIAgentsPlugin


class ResponseBuilders:
    """Answers of models."""

    @staticmethod
    def model_response(output: Any) -> ModelResponse:
        """An answer of one item."""
        return ModelResponse([output], Usage(), None)

    @staticmethod
    def response_output_message(text: str) -> Any:
        """A message."""
        from openai.types.responses import ResponseOutputMessage, ResponseOutputText

        part = ResponseOutputText(text=text, annotations=[], type="output_text")
        return ResponseOutputMessage(
            id="", content=[part], role="assistant", status="completed", type="message"
        )

    @staticmethod
    def output_message(text: str) -> ModelResponse:
        """An answer that is a message."""
        return ResponseBuilders.model_response(ResponseBuilders.response_output_message(text))

    @staticmethod
    def tool_call(
        arguments: str, name: str, *, call_id: str | None = None, item_id: str | None = None
    ) -> ModelResponse:
        """An answer that calls a tool."""
        from openai.types.responses import ResponseFunctionToolCall

        call = ResponseFunctionToolCall(
            arguments=arguments,
            call_id=call_id or "call",
            name=name,
            type="function_call",
            id=item_id or "id",
            status="completed",
        )
        return ResponseBuilders.model_response(call)


class TestModel(Model):
    """A model that answers what a function returns."""

    __test__ = False

    def __init__(self, fn: Callable[[], ModelResponse]) -> None:
        self.fn = fn

    @staticmethod
    def returning_responses(responses: list[ModelResponse]) -> TestModel:
        """A model that gives these answers, one after the other."""
        left = iter(responses)
        return TestModel(lambda: next(left))

    async def get_response(self, *args: Any, **more: Any) -> ModelResponse:
        del args, more
        return self.fn()

    def stream_response(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


class TestModelProvider(ModelProvider):
    """Finds one model, whatever the name."""

    __test__ = False

    def __init__(self, model: Model) -> None:
        self._model = model

    def get_model(self, model_name: str | None) -> Model:
        del model_name
        return self._model


class AgentEnvironment:
    """A plug-in with a model of the test's, on a client: `async with AgentEnvironment(model=...) as env`."""

    __test__ = False

    def __init__(
        self,
        model_params: ModelActivityParameters | None = None,
        model_provider: ModelProvider | None = None,
        model: Model | None = None,
        mcp_server_providers: Sequence[Any] = (),
        **more: Any,
    ) -> None:
        provider = TestModelProvider(model) if model is not None else model_provider
        self.openai_agents_plugin = OpenAIAgentsPlugin(
            model_params, provider, mcp_server_providers, **more
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def applied_on_client(self, client: Client) -> Client:
        """The same client with the plug-in."""
        config = client.config()
        config["plugins"] = [*config["plugins"], self.openai_agents_plugin]
        return Client(**config)
