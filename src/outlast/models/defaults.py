"""Process-wide defaults for OpenAI: key, client, API, transport, and who the program is.

They are read when a client is made, so set them before the first run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from outlast.definitions.choices import check_choice
from outlast.tracing import set_tracing_export_api_key

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OpenAIResponsesTransport = Literal["http", "websocket"]
OPENAI_HARNESS_ID_TRACE_METADATA_KEY = "agent_harness_id"
_HARNESS_ENV = "OPENAI_AGENT_HARNESS_ID"


@dataclass(frozen=True)
class OpenAIAgentRegistrationConfig:
    """Under which harness id OpenAI is to file the program's runs."""

    harness_id: str | None


@dataclass(frozen=True)
class ResolvedOpenAIAgentRegistrationConfig:
    """A registration that is in force."""

    harness_id: str


@dataclass
class _Defaults:
    key: str | None = None
    client: AsyncOpenAI | None = None
    use_responses: bool = True
    transport: OpenAIResponsesTransport = "http"
    registration: OpenAIAgentRegistrationConfig | None = None


_defaults = _Defaults()


def set_default_openai_key(key: str, use_for_tracing: bool = True) -> None:
    """Use ``key`` for every OpenAI client that is made without one.

    Args:
        key: The API key; it wins over ``OPENAI_API_KEY``.
        use_for_tracing: Give it to the trace exporter too, if one is installed.
    """
    _defaults.key = key
    if use_for_tracing:
        set_tracing_export_api_key(key)


def set_default_openai_client(client: AsyncOpenAI, use_for_tracing: bool = True) -> None:
    """Use ``client`` for every OpenAI model that is made without one.

    Args:
        client: Yours to configure and to close.
        use_for_tracing: Give its key to the trace exporter too, if one is installed.
    """
    _defaults.client = client
    if use_for_tracing:
        set_tracing_export_api_key(client.api_key)


def set_default_openai_api(api: Literal["chat_completions", "responses"]) -> None:
    """Choose the API that OpenAI model names stand for.

    Raises:
        ValueError: It is neither ``"chat_completions"`` nor ``"responses"``.
    """
    check_choice("The default OpenAI API", api, Literal["chat_completions", "responses"])
    _defaults.use_responses = api == "responses"


def set_default_openai_responses_transport(transport: OpenAIResponsesTransport) -> None:
    """Choose how Responses models connect.

    Raises:
        ValueError: It is neither ``"http"`` nor ``"websocket"``.
    """
    if transport not in ("http", "websocket"):
        raise ValueError(
            "Invalid OpenAI Responses transport. Expected one of: 'http', 'websocket'."
        )
    _defaults.transport = transport


def get_default_openai_key() -> str | None:
    """The key that was set, or None; the environment is not looked at."""
    return _defaults.key


def get_default_openai_client() -> AsyncOpenAI | None:
    """The client that was set, or None."""
    return _defaults.client


def get_use_responses_by_default() -> bool:
    """Whether OpenAI model names stand for the Responses API."""
    return _defaults.use_responses


def get_default_openai_responses_transport() -> OpenAIResponsesTransport:
    """How Responses models connect."""
    return _defaults.transport


def reset_defaults() -> None:
    """Forget all of it, as in a fresh process."""
    vars(_defaults).update(vars(_Defaults()))


def registration_config(config: Any) -> OpenAIAgentRegistrationConfig | None:
    """A registration given as an object or a mapping, as an object.

    Raises:
        TypeError: The mapping has keys that a registration does not have.
    """
    if not isinstance(config, dict):
        return config
    given: dict[str, Any] = config  # pyright: ignore[reportUnknownVariableType]  a caller's mapping
    unknown = sorted(set(given) - {"harness_id"})
    if unknown:
        raise TypeError(f"Unknown OpenAI agent registration settings: {', '.join(unknown)}")
    return OpenAIAgentRegistrationConfig(**given)


def set_default_openai_agent_registration(
    config: OpenAIAgentRegistrationConfig | dict[str, Any] | None,
) -> None:
    """Register every run under ``config``; None ends that."""
    _defaults.registration = registration_config(config)


def set_default_openai_harness(harness_id: str | None) -> None:
    """Register every run under ``harness_id``; None ends that."""
    _defaults.registration = OpenAIAgentRegistrationConfig(harness_id) if harness_id else None


def get_default_openai_agent_registration_config() -> OpenAIAgentRegistrationConfig | None:
    """The registration that was set, or None."""
    return _defaults.registration


set_default_openai_agent_registration_config = set_default_openai_agent_registration


def resolve_openai_agent_registration_config(
    config: OpenAIAgentRegistrationConfig | dict[str, Any] | None,
) -> ResolvedOpenAIAgentRegistrationConfig | None:
    """The registration in force: the given one, the default, or the environment's."""
    for choice in (registration_config(config), _defaults.registration):
        if choice is not None and choice.harness_id:
            return ResolvedOpenAIAgentRegistrationConfig(choice.harness_id)
    from_env = os.environ.get(_HARNESS_ENV)
    return ResolvedOpenAIAgentRegistrationConfig(from_env) if from_env else None


def resolve_openai_harness_id_for_model_provider(model_provider: object) -> str | None:
    """The harness id that runs over ``model_provider`` are filed under, or None."""
    # A provider of the user's may carry a registration under either name, or none at all.
    config = getattr(model_provider, "agent_registration", None)
    if config is None:
        config = getattr(model_provider, "_agent_registration", None)
    resolved = resolve_openai_agent_registration_config(_known_registration(config))
    return resolved.harness_id if resolved else None


def add_openai_harness_id_to_metadata(
    metadata: dict[str, Any] | None, *, model_provider: object
) -> dict[str, Any] | None:
    """Trace metadata with the harness id in it, unless it already names one."""
    harness_id = resolve_openai_harness_id_for_model_provider(model_provider)
    if harness_id is None or OPENAI_HARNESS_ID_TRACE_METADATA_KEY in (metadata or {}):
        return metadata
    return {**(metadata or {}), OPENAI_HARNESS_ID_TRACE_METADATA_KEY: harness_id}


def _known_registration(config: object) -> OpenAIAgentRegistrationConfig | None:
    if isinstance(config, ResolvedOpenAIAgentRegistrationConfig):
        return OpenAIAgentRegistrationConfig(config.harness_id)
    return config if isinstance(config, OpenAIAgentRegistrationConfig) else None
