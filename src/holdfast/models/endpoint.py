"""What models of an endpoint share: whether it is OpenAI's own, and who asks it again.

Some features exist only at OpenAI's own endpoints.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_ASKS_ONCE: ContextVar[bool] = ContextVar("holdfast_asks_once", default=False)


@contextmanager
def asking_once() -> Generator[None]:
    """Let the calls made in here fail at the first failure: their caller asks again itself."""
    token = _ASKS_ONCE.set(True)
    try:
        yield
    finally:
        _ASKS_ONCE.reset(token)


def client_of(client: AsyncOpenAI) -> AsyncOpenAI:
    """``client``, without retries of its own where it is asked once."""
    return client.with_options(max_retries=0) if _ASKS_ONCE.get() else client


def is_official_openai_base_url(base_url: object, *, websocket: bool = False) -> bool:
    """Whether ``base_url`` is an address of OpenAI itself, by scheme and exact host."""
    parts = urlsplit(str(base_url))
    return parts.scheme == ("wss" if websocket else "https") and parts.hostname == "api.openai.com"


def is_official_openai_client(client: AsyncOpenAI) -> bool:
    """Whether ``client`` talks to OpenAI itself."""
    return is_official_openai_base_url(getattr(client, "base_url", ""))  # a fake may have none
