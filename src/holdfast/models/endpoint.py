"""What models of an endpoint share: whose it is, and who asks it again.

Some features exist only at OpenAI's own endpoints.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.definitions.limits import ModelEndpoint, ModelLimits
from holdfast.models.asking import Asking, asked, asking
from holdfast.models.guard import is_guardable, with_guard

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def asking_once() -> AbstractContextManager[None]:
    """Let the calls made in here fail at the first failure: their caller asks again itself."""
    return asking(Asking(once=True))


def client_of(client: AsyncOpenAI, own: ModelLimits | None = None) -> AsyncOpenAI:
    """``client``, with its answers bounded, and without retries of its own where it is asked once.

    Args:
        client: The user's client, which stays as it is. What is not a real `openai` client is
            returned as it is, at most without retries.
        own: The limits of the model, for calls that bring none.
    """
    once = asked().once
    if not is_guardable(client):
        # A stand-in may have nothing but the calls.
        return (
            client.with_options(max_retries=0)
            if once and hasattr(client, "with_options")
            else client
        )
    return with_guard(client, own, once=once)


def endpoint_of(client: AsyncOpenAI, own: ModelLimits | None = None) -> ModelEndpoint | None:
    """What an engine has to know of a model behind ``client``; None for a fake."""
    return ModelEndpoint(client.max_retries, own) if is_guardable(client) else None


def is_official_openai_base_url(base_url: object, *, websocket: bool = False) -> bool:
    """Whether ``base_url`` is an address of OpenAI itself, by scheme and exact host."""
    parts = urlsplit(str(base_url))
    return parts.scheme == ("wss" if websocket else "https") and parts.hostname == "api.openai.com"


def is_official_openai_client(client: AsyncOpenAI) -> bool:
    """Whether ``client`` talks to OpenAI itself."""
    return is_official_openai_base_url(getattr(client, "base_url", ""))  # a fake may have none
