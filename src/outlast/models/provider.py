"""From the name of a model to the model: OpenAI's by default, others by a prefix.

Nothing here connects, or imports `openai` or what speaks with a provider, before a model is asked
for: settings of a run have a provider, also where each agent brings its model.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any, Literal

from outlast.core.errors import UserError
from outlast.definitions.default_models import get_default_model
from outlast.definitions.model import Model, ModelProvider
from outlast.models import defaults
from outlast.models.defaults import OpenAIAgentRegistrationConfig
from outlast.models.near_names import OFFLINE, meant_model, meant_prefix
from outlast.models.official import is_official_openai_base_url, is_official_openai_client

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from outlast.definitions.limits import ModelLimits
    from outlast.models.responses_ws import OpenAIResponsesWebSocketOptions, OpenAIResponsesWSModel

__all__ = [
    "DEFAULT_MODEL",
    "MultiProvider",
    "MultiProviderMap",
    "MultiProviderOpenAIPrefixMode",
    "MultiProviderUnknownPrefixMode",
    "OpenAIProvider",
    "is_official_openai_base_url",
    "is_official_openai_client",
    "shared_http_client",
]

DEFAULT_MODEL = "gpt-4o"
MultiProviderOpenAIPrefixMode = Literal["alias", "model_id"]
MultiProviderUnknownPrefixMode = Literal["error", "model_id"]

OFFLINE_ENV = "OUTLAST_OFFLINE"
_OFFLINE = "offline"
# Prefix -> module and class of the adapter that it loads on first use.
_ADAPTERS = {
    "litellm": ("outlast.models.adapters.litellm", "LitellmProvider"),
    "any-llm": ("outlast.models.adapters.any_llm", "AnyLLMProvider"),
}


class MissingKey(UserError):
    """There is no key for a model: what is raised is this, and the provider's own kind of error."""


class MultiProviderMap:
    """Which provider answers for which prefix."""

    def __init__(self) -> None:
        self._mapping: dict[str, ModelProvider] = {}

    def has_prefix(self, prefix: str) -> bool:
        """Whether a provider answers for ``prefix``."""
        return prefix in self._mapping

    def get_mapping(self) -> dict[str, ModelProvider]:
        """All of them, as a copy."""
        return self._mapping.copy()

    def set_mapping(self, mapping: dict[str, ModelProvider]) -> None:
        """Replace all of them."""
        self._mapping = mapping

    def get_provider(self, prefix: str) -> ModelProvider | None:
        """The provider of ``prefix``, or None."""
        return self._mapping.get(prefix)

    def add_provider(self, prefix: str, provider: ModelProvider) -> None:
        """Let ``provider`` answer for ``prefix``; it replaces an earlier one."""
        self._mapping[prefix] = provider

    def remove_provider(self, prefix: str) -> None:
        """Forget the provider of ``prefix``."""
        del self._mapping[prefix]


class MultiProvider(ModelProvider):
    """Resolves ``"gpt-5"``, ``"openai/gpt-5"``, ``"litellm/anthropic/x"``, ``"yours/x"``, ``"offline"``.

    ``"offline"`` is a stand-in that needs no network and no key; with ``OUTLAST_OFFLINE=1`` in the
    environment every name means it.

    Args:
        provider_map: Providers for prefixes of your own. They win over the known prefixes.
        openai_api_key: This and the other ``openai_`` arguments are those of `OpenAIProvider`.
        openai_prefix_mode: ``"alias"`` takes ``openai/`` off a name; ``"model_id"`` leaves it on.
        unknown_prefix_mode: ``"error"`` refuses other prefixes; ``"model_id"`` gives the whole
            name to OpenAI, for endpoints whose model names have slashes.

    Raises:
        UserError: A mode is none of those above.
    """

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        *,
        provider_map: MultiProviderMap | None = None,
        openai_api_key: str | None = None,
        openai_base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        openai_organization: str | None = None,
        openai_project: str | None = None,
        openai_use_responses: bool | None = None,
        openai_use_responses_websocket: bool | None = None,
        openai_strict_feature_validation: bool = False,
        openai_websocket_base_url: str | None = None,
        openai_prefix_mode: MultiProviderOpenAIPrefixMode = "alias",
        unknown_prefix_mode: MultiProviderUnknownPrefixMode = "error",
        openai_agent_registration: OpenAIAgentRegistrationConfig | dict[str, Any] | None = None,
        openai_responses_websocket_options: OpenAIResponsesWebSocketOptions | None = None,
        openai_buffer_streamed_tool_calls: bool = False,
    ) -> None:
        _check_mode("openai_prefix_mode", openai_prefix_mode, ("alias", "model_id"))
        _check_mode("unknown_prefix_mode", unknown_prefix_mode, ("error", "model_id"))
        self.provider_map = provider_map
        self.openai_provider = OpenAIProvider(
            api_key=openai_api_key,
            base_url=openai_base_url,
            websocket_base_url=openai_websocket_base_url,
            openai_client=openai_client,
            organization=openai_organization,
            project=openai_project,
            use_responses=openai_use_responses,
            use_responses_websocket=openai_use_responses_websocket,
            strict_feature_validation=openai_strict_feature_validation,
            agent_registration=openai_agent_registration,
            responses_websocket_options=openai_responses_websocket_options,
            buffer_streamed_tool_calls=openai_buffer_streamed_tool_calls,
        )
        self._openai_prefix_mode = openai_prefix_mode
        self._unknown_prefix_mode = unknown_prefix_mode
        self._adapters: dict[str, ModelProvider] = {}

    @property
    def agent_registration(self) -> OpenAIAgentRegistrationConfig | None:
        """The registration of the OpenAI provider."""
        return self.openai_provider.agent_registration

    def get_model(self, model_name: str | None) -> Model:
        """The model that ``model_name`` stands for; the default model for None.

        Raises:
            UserError: The prefix is not known, or OpenAI is meant and there is no API key.
        """
        if model_name == _OFFLINE or os.environ.get(OFFLINE_ENV) == "1":
            from outlast.models.offline import OfflineModel

            return OfflineModel()
        prefix, slash, rest = (model_name or "").partition("/")
        if not slash:
            return self.openai_provider.get_model(model_name)
        mapped = self.provider_map.get_provider(prefix) if self.provider_map is not None else None
        if mapped is not None:
            return mapped.get_model(rest)
        if prefix == "openai":
            alias = self._openai_prefix_mode == "alias"
            return self.openai_provider.get_model(rest if alias else model_name)
        if prefix in _ADAPTERS:
            return self._adapter(prefix).get_model(rest)
        if self._unknown_prefix_mode == "model_id":
            return self.openai_provider.get_model(model_name)
        known = self.provider_map.get_mapping() if self.provider_map is not None else ()
        raise UserError(
            f"Unknown prefix: {prefix}.{meant_prefix(prefix, model_name or '', known)} Known are 'openai', {', '.join(map(repr, _ADAPTERS))} and "
            "those of the provider_map. If the slash is part of the model's name, use "
            "MultiProvider(unknown_prefix_mode='model_id')."
        )

    async def aclose(self) -> None:
        """Close every provider once.

        Raises:
            Exception: The first that failed; the others have been closed nevertheless.
        """
        mapped = self.provider_map.get_mapping().values() if self.provider_map is not None else ()
        providers = {id(p): p for p in (self.openai_provider, *mapped, *self._adapters.values())}
        failures: list[Exception] = []
        for provider in providers.values():
            try:
                await provider.aclose()
            except asyncio.CancelledError:  # A library's may be an Exception too.
                raise
            except Exception as error:  # noqa: BLE001 (one that fails must not keep the others open)
                failures.append(error)
        if failures:
            raise failures[0]

    def _adapter(self, prefix: str) -> ModelProvider:
        if prefix not in self._adapters:
            module, name = _ADAPTERS[prefix]
            # Loaded by name: an extra that is not installed must not be needed to get here.
            self._adapters[prefix] = getattr(importlib.import_module(module), name)()
        return self._adapters[prefix]


class OpenAIProvider(ModelProvider):
    """Models of OpenAI, or of an endpoint that speaks its API.

    The client is made when the first model is asked for, without following redirects.

    Args:
        api_key: The key; else the default key, else ``OPENAI_API_KEY``.
        base_url: The endpoint; else ``OPENAI_BASE_URL``.
        websocket_base_url: Where websockets connect; else ``OPENAI_WEBSOCKET_BASE_URL``.
        openai_client: A client of your own, instead of the connection arguments.
        organization: OpenAI organization.
        project: OpenAI project.
        use_responses: Responses API or Chat Completions; the process's default if None.
        use_responses_websocket: Websocket or HTTP; the process's default if None.
        strict_feature_validation: Refuse what Chat Completions cannot do instead of leaving it out.
        agent_registration: Under which id OpenAI files the runs.
        responses_websocket_options: Keepalive and size limits of websockets.
        buffer_streamed_tool_calls: Hold streamed tool calls back until they are complete.
        model_limits: What a call of its models may take where the run says nothing.

    Raises:
        UserError: A client and connection arguments are both given.
    """

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        websocket_base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        organization: str | None = None,
        project: str | None = None,
        use_responses: bool | None = None,
        use_responses_websocket: bool | None = None,
        strict_feature_validation: bool = False,
        agent_registration: OpenAIAgentRegistrationConfig | dict[str, Any] | None = None,
        responses_websocket_options: OpenAIResponsesWebSocketOptions | None = None,
        buffer_streamed_tool_calls: bool = False,
        model_limits: ModelLimits | None = None,
    ) -> None:
        self._model_limits = model_limits
        self._connection = {
            "api_key": api_key,
            "base_url": base_url,
            "websocket_base_url": websocket_base_url,
            "organization": organization,
            "project": project,
        }
        if openai_client is not None and any(v is not None for v in self._connection.values()):
            raise UserError(
                "Don't provide api_key, base_url, websocket_base_url, organization, or project "
                "together with openai_client: the client has its own."
            )
        self._client = openai_client
        self._use_responses = (
            defaults.get_use_responses_by_default() if use_responses is None else use_responses
        )
        self._use_websocket = (
            defaults.get_default_openai_responses_transport() == "websocket"
            if use_responses_websocket is None
            else use_responses_websocket
        )
        self._strict_feature_validation = strict_feature_validation
        self._agent_registration = defaults.registration_config(agent_registration)
        self._responses_websocket_options = responses_websocket_options
        self._buffer_streamed_tool_calls = buffer_streamed_tool_calls
        # A socket belongs to the loop that opened it.
        self._ws_models: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[str, OpenAIResponsesWSModel]
        ] = weakref.WeakKeyDictionary()

    @property
    def agent_registration(self) -> OpenAIAgentRegistrationConfig | None:
        """Under which id OpenAI files the runs, if this provider says so."""
        return self._agent_registration

    def get_model(self, model_name: str | None) -> Model:
        """The model called ``model_name``; the default model for None.

        Raises:
            UserError: There is no API key.
        """
        explicit = model_name is not None
        name = model_name if model_name is not None else get_default_model()
        client = self._get_client(name)
        if not self._use_responses:
            from outlast.models.chat import OpenAIChatCompletionsModel

            return OpenAIChatCompletionsModel(
                model=name,
                openai_client=client,
                strict_feature_validation=self._strict_feature_validation,
                buffer_streamed_tool_calls=self._buffer_streamed_tool_calls,
                model_limits=self._model_limits,
            )
        if self._use_websocket:
            return self._ws_model(name, client, explicit=explicit)
        from outlast.models.responses import OpenAIResponsesModel

        return OpenAIResponsesModel(
            name, client, model_is_explicit=explicit, model_limits=self._model_limits
        )

    async def aclose(self) -> None:
        """Close the websockets. A client of yours, and the shared HTTP client, stay open."""
        models = [model for kept in self._ws_models.values() for model in kept.values()]
        self._ws_models.clear()
        for model in models:
            await model.close()

    def _ws_model(
        self, name: str, client: AsyncOpenAI, *, explicit: bool
    ) -> OpenAIResponsesWSModel:
        from outlast.models.responses_ws import OpenAIResponsesWSModel

        made = OpenAIResponsesWSModel(
            name,
            client,
            model_is_explicit=explicit,
            websocket_options=self._responses_websocket_options,
        )
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # Nothing to tie the socket to, so nothing is kept.
            return made
        return self._ws_models.setdefault(loop, {}).setdefault(name, made)

    def _get_client(self, model: str) -> AsyncOpenAI:
        if self._client is None:
            self._client = self._chosen_client(model)
        return self._client

    def _chosen_client(self, model: str) -> AsyncOpenAI:
        given = {name: value for name, value in self._connection.items() if value is not None}
        shared = defaults.get_default_openai_client()
        if shared is not None and not given:
            return shared
        arguments: dict[str, Any] = {
            "api_key": defaults.get_default_openai_key(),
            "base_url": os.environ.get("OPENAI_BASE_URL"),
            "websocket_base_url": os.environ.get("OPENAI_WEBSOCKET_BASE_URL"),
            "organization": None,
            "project": None,
            **given,
        }
        has_key = arguments["api_key"] is not None or bool(os.environ.get("OPENAI_API_KEY"))
        place = arguments["base_url"]
        if place and not is_official_openai_base_url(place) and not has_key:
            arguments["api_key"] = "none"  # Servers of one's own mostly ask for no key.
        from openai import OpenAIError

        try:
            # Looked up on the module, where a test or a subclassing program can put its own.
            made: Any = sys.modules[__name__].AsyncOpenAI
            return made(**arguments, http_client=shared_http_client())
        except OpenAIError:
            # The library's own error says the same in words of its own.
            raise _missing_key(OpenAIError, model) from None


_http_clients: list[Any] = []


def shared_http_client() -> Any:
    """The HTTP client of every OpenAI client made here. It follows no redirects.

    A redirect would carry prompts and the key to an address that nobody has chosen.
    """
    if not _http_clients:
        from openai import DefaultAsyncHttpxClient

        try:
            _http_clients.append(DefaultAsyncHttpxClient(follow_redirects=False))
        except Exception as error:
            raise UserError(
                f"No HTTP client can be made: {type(error).__name__}. Check HTTPS_PROXY, HTTP_PROXY, "
                "ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR in the environment; socks:// proxies need "
                "`pip install socksio`."
            ) from error
    return _http_clients[0]


def __getattr__(name: str) -> Any:
    if name == "AsyncOpenAI":
        from openai import AsyncOpenAI

        return AsyncOpenAI
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _check_mode(name: str, mode: str, allowed: tuple[str, ...]) -> None:
    if mode not in allowed:
        wanted = ", ".join(map(repr, allowed))
        raise UserError(f"MultiProvider {name} must be one of: {wanted}. It is {mode!r}.")


def _missing_key(openai_error: type[Exception], model: str) -> UserError:
    # Both families: callers of openai-agents have learned to catch the library's own error.
    kind = type("MissingApiKey", (MissingKey, openai_error), {})
    meant = meant_model(model)
    return kind(
        f"There is no OpenAI API key.{meant if OFFLINE in meant else ''} Set OPENAI_API_KEY, or call set_default_openai_key(...). "
        "To go on without a key and a network, set OUTLAST_OFFLINE=1 or use model='offline': "
        "a stand-in that is not a language model then answers."
    )
