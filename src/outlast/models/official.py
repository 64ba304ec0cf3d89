"""Whether somebody talks to OpenAI itself."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def is_official_openai_base_url(base_url: object, *, websocket: bool = False) -> bool:
    """Whether ``base_url`` is an address of OpenAI itself, by scheme and exact host."""
    parts = urlsplit(str(base_url))
    return parts.scheme == ("wss" if websocket else "https") and parts.hostname == "api.openai.com"


def is_official_openai_client(client: AsyncOpenAI) -> bool:
    """Whether ``client`` talks to OpenAI itself."""
    return is_official_openai_base_url(base_url_of(client))


def base_url_of(client: AsyncOpenAI) -> str:
    """Where ``client`` talks to; empty for a fake that does not say."""
    return str(getattr(client, "base_url", None) or "")
