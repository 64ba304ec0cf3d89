"""A request of the Responses API as websockets carry it: where to, which headers, which frame, how long."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from holdfast.core.errors import UserError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_NOT_IN_FRAME = {"extra_headers", "extra_query", "extra_body", "timeout", "stream", "background"}


class Timeouts(NamedTuple):
    """Seconds; None for no limit."""

    connect: float | None
    read: float | None
    """Between two events."""
    turn: float | None
    """Until the calls before this one are over."""


def url_of(client: AsyncOpenAI, extra_query: Any = None) -> str:
    """Where ``client``'s websockets connect.

    Raises:
        UserError: The base URL is none.
    """
    base = str(client.websocket_base_url or client.base_url)
    parts = urlsplit(base)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise UserError(
            "The websocket base URL has to begin with ws://, wss://, http:// or https:// and name a "
            f"host; its scheme is {parts.scheme!r}."
        )
    query: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    for more in (client.default_query, extra_query):
        _merge(query, more)
    path = f"{parts.path.rstrip('/')}/responses"
    return urlunsplit((scheme, parts.netloc, path, urlencode(query, doseq=True), ""))


async def address_of(client: AsyncOpenAI, kwargs: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The URL and the headers of a request's websocket."""
    # A key may be a function that makes a fresh one; only this way does the library call it.
    refresh: Any = getattr(client, "_refresh_api_key", None)
    if refresh is not None:
        await refresh()
    headers: dict[str, str] = {}
    for more in (client.auth_headers, client.default_headers, kwargs.get("extra_headers")):
        _merge_headers(headers, more)
    return url_of(client, kwargs.get("extra_query")), headers


def frame_of(kwargs: Mapping[str, Any]) -> str:
    """The message that asks what `responses.create` asks when it is called with ``kwargs``."""
    frame: dict[str, Any] = {}
    _merge(frame, {key: value for key, value in kwargs.items() if key not in _NOT_IN_FRAME})
    _merge(frame, kwargs.get("extra_body"))
    return json.dumps({**frame, "type": "response.create", "stream": True}, default=_as_json)


def timeouts_of(client: AsyncOpenAI, kwargs: Mapping[str, Any]) -> Timeouts:
    """How long a request may take: its own timeout, else the client's."""
    from openai import NotGiven, Omit

    limit: Any = kwargs.get("timeout", client.timeout)
    if isinstance(limit, NotGiven | Omit):
        limit = client.timeout
    if limit is None or isinstance(limit, int | float):
        return Timeouts(limit, limit, limit)
    return Timeouts(limit.connect, limit.read, limit.pool)


def _merge(into: dict[str, Any], more: Any) -> None:
    """Add ``more``; what it says is to be left out is taken away."""
    from openai import NotGiven, Omit

    for key, value in _pairs(more):
        if isinstance(value, Omit):
            into.pop(key, None)
        elif not isinstance(value, NotGiven):
            into[key] = value


def _merge_headers(into: dict[str, str], more: Any) -> None:
    """The same, for names of which upper and lower case are one."""
    from openai import NotGiven

    for key, value in _pairs(more):
        if isinstance(value, NotGiven):
            continue
        for known in [known for known in into if known.lower() == key.lower()]:
            del into[known]
        if isinstance(value, str | bytes | int | float):
            into[key] = value.decode() if isinstance(value, bytes) else str(value)


def _pairs(more: Any) -> Iterable[tuple[str, Any]]:
    return more.items() if isinstance(more, Mapping) else ()  # pyright: ignore[reportUnknownVariableType]  # whatever the user gave


def _as_json(value: Any) -> Any:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Iterable):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise UserError(
        f"A request holds a {type(value).__name__}, which JSON cannot hold. Look at the model "
        "settings' extra_args and extra_body."
    )
