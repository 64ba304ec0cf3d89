"""Runs that share one provider, and so the websockets to its models."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlast.core.errors import UserError
from outlast.effects.config import RunConfig, brings_model_provider, coerce_run_config
from outlast.models.provider import MultiProvider, OpenAIProvider
from outlast.run.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from outlast.definitions.agent import Agent
    from outlast.models.provider import (
        MultiProviderOpenAIPrefixMode,
        MultiProviderUnknownPrefixMode,
    )
    from outlast.models.responses_ws import OpenAIResponsesWebSocketOptions
    from outlast.run.result import RunResult
    from outlast.run.stream import RunResultStreaming


class _WrongValue(UserError, ValueError):
    """Callers of openai-agents have learned to catch a `ValueError`."""


class _WrongType(UserError, TypeError):
    """Callers of openai-agents have learned to catch a `TypeError`."""


@asynccontextmanager
async def responses_websocket_session(  # noqa: PLR0913 (upstream's signature)
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    websocket_base_url: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    openai_prefix_mode: MultiProviderOpenAIPrefixMode = "alias",
    unknown_prefix_mode: MultiProviderUnknownPrefixMode = "error",
    responses_websocket_options: OpenAIResponsesWebSocketOptions | None = None,
) -> AsyncGenerator[ResponsesWebSocketSession]:
    """A session whose runs share their websockets, which close with the ``async with`` block.

    Nothing connects before the first model call. Read streamed runs to their end within the block.

    Args:
        api_key: See `OpenAIProvider`.
        base_url: See `OpenAIProvider`.
        websocket_base_url: See `OpenAIProvider`.
        organization: See `OpenAIProvider`.
        project: See `OpenAIProvider`.
        openai_prefix_mode: See `MultiProvider`.
        unknown_prefix_mode: See `MultiProvider`.
        responses_websocket_options: Keepalive and size limits of the websockets.

    Raises:
        UserError: A mode is none of those that `MultiProvider` knows.
    """
    routes = MultiProvider(
        openai_api_key=api_key,
        openai_base_url=base_url,
        openai_websocket_base_url=websocket_base_url,
        openai_organization=organization,
        openai_project=project,
        openai_use_responses=True,
        openai_use_responses_websocket=True,
        openai_prefix_mode=openai_prefix_mode,
        unknown_prefix_mode=unknown_prefix_mode,
        openai_responses_websocket_options=responses_websocket_options,
    )
    try:
        yield ResponsesWebSocketSession(routes.openai_provider, RunConfig(model_provider=routes))
    finally:
        await routes.aclose()


@dataclass(frozen=True)
class ResponsesWebSocketSession:
    """Runs agents with one provider and one `RunConfig`. `responses_websocket_session` makes one.

    Attributes:
        provider: The provider of every run. Whoever made it closes it.
        run_config: The settings of every run. A dict without a ``model_provider`` gets one that
            finds models by ``provider``; any other has to be a `MultiProvider` of ``provider``.

    Raises:
        UserError: ``run_config`` finds models by something else than ``provider``. It is a
            `ValueError` or a `TypeError` as well.
        TypeError: ``run_config`` is no `RunConfig` and no dict, or has a key that is no setting.
    """

    provider: OpenAIProvider
    run_config: RunConfig

    def __post_init__(self) -> None:
        object.__setattr__(self, "run_config", _shared(self.run_config, self.provider))

    async def run(self, starting_agent: Agent, input: Any, **kwargs: Any) -> RunResult:
        """See `Runner.run`; ``run_config`` is the session's.

        Raises:
            UserError: ``run_config`` is given. It is a `ValueError` as well.
        """
        return await Runner.run(starting_agent, input, **self._options(kwargs))

    def run_streamed(self, starting_agent: Agent, input: Any, **kwargs: Any) -> RunResultStreaming:
        """See `Runner.run_streamed`; ``run_config`` is the session's.

        Raises:
            UserError: ``run_config`` is given. It is a `ValueError` as well.
        """
        return Runner.run_streamed(starting_agent, input, **self._options(kwargs))

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        if "run_config" in given:
            raise _WrongValue(
                "A session's runs all have the session's run_config, got another one for this run. "
                "Leave it out, or use Runner with RunConfig(model_provider="
                "session.run_config.model_provider, ...), which shares the websockets too."
            )
        return {**given, "run_config": self.run_config}

    async def aclose(self) -> None:
        """Close the websockets and clients that the session's runs share. Harmless when repeated."""
        await self.run_config.model_provider.aclose()


def _shared(given: RunConfig | dict[str, Any], provider: OpenAIProvider) -> RunConfig:
    """The settings that were given, with models found by ``provider``."""
    config = coerce_run_config(given)
    if not brings_model_provider(given):
        config.model_provider = routes = MultiProvider()
        routes.openai_provider = provider
        return config
    if not isinstance(config.model_provider, MultiProvider):
        raise _WrongType(
            "The model_provider of a session's run_config must be a MultiProvider, got "
            f"{type(config.model_provider).__name__}. Use MultiProvider(...), and its "
            "openai_provider as the session's provider."
        )
    if config.model_provider.openai_provider is not provider:
        raise _WrongValue(
            "The model_provider of the session's run_config has another OpenAIProvider than the "
            "session, so runs would not use the session's websockets. Use "
            "run_config.model_provider.openai_provider as the session's provider, or give the "
            "settings as a dict without a model_provider."
        )
    return config
