"""HTTP clients for remote servers, and what they saw go wrong.

The library turns a refused POST into an error of its own that has no status. The client notes the
status; a `ContextVar` leads it back to whoever made the request, and in version 1 of the library,
which sends all requests from one context, the request's number does.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Any, Protocol, cast

from outlast.core.errors import UserError
from outlast.mcp.errors import MCPTooLargeError
from outlast.mcp.http_v1 import completed
from outlast.mcp.library import http_library, is_v2

SERVER_ERROR = 500
_HANDSHAKE = ("server/discover", "initialize", "notifications/initialized")
CLIENT_ERROR = 400


class HttpClientFactory(Protocol):
    """Makes the client that a remote server is spoken to with."""

    def __call__(
        self, headers: dict[str, str] | None = None, timeout: Any = None, auth: Any = None
    ) -> Any:
        """A new client, which is closed with the connection."""
        ...


@dataclass
class Failures:
    """What HTTP has seen go wrong while a request was made."""

    statuses: list[int] = field(default_factory=list[int])
    errors: list[BaseException] = field(default_factory=list[BaseException])
    by_number: dict[Any, Failures] = field(default_factory=dict[Any, "Failures"])
    """What has gone wrong with those requests of a connection that have gatherings of their own."""

    @property
    def status(self) -> int | None:
        """The last status that was none of success."""
        return self.statuses[-1] if self.statuses else None


_FAILURES: ContextVar[Failures | None] = ContextVar("mcp_http_failures", default=None)


@contextmanager
def noting_failures(
    failures: Failures, of_owner: Failures | None = None, number: Any = None
) -> Generator[None]:
    """Gather what goes wrong in HTTP under the requests that are made in this block.

    Args:
        failures: Where it is gathered.
        of_owner: Where it is for whoever owns the connection.
        number: The request's, where the library sends it in the context of the owner.
    """
    if of_owner is not None and number is not None:
        of_owner.by_number[number] = failures
    token = _FAILURES.set(failures)
    try:
        yield
    finally:
        _FAILURES.reset(token)
        if of_owner is not None:
            of_owner.by_number.pop(number, None)


def _failures_of(message: dict[str, Any]) -> Failures | None:
    found = _FAILURES.get()
    return None if found is None else found.by_number.get(message.get("id"), found)


def status_text(status: int) -> str:
    """A status as people know it."""
    try:
        return f"HTTP error {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"HTTP error {status}"


@dataclass
class HttpOptions:
    """How a remote server is spoken to."""

    factory: HttpClientFactory | None
    auth: Any
    max_bytes: int | None
    """How large one answer may be."""
    on_session: Callable[[str], None] | None = None
    ignores_initialized: bool = False
    """Whether a server may refuse to hear that the handshake is over."""
    on_refusal: Callable[[int], None] | None = None
    """Hears of a refused request, where answers come in another response than that to the request."""

    def check_auth(self) -> None:
        """Refuse an `auth` of the other HTTP library than the one that will use it.

        Raises:
            UserError: It is one.
        """
        kind = cast("type[object]", type(self.auth))
        if self.auth is not None and is_v2() and _is_httpx_auth(kind):
            raise UserError(
                f"auth is a {kind.__module__}.{kind.__name__}, and version 2 of the mcp library speaks "
                "through httpx2: pass an httpx2.Auth (`httpx2.BasicAuth`, or `OAuthClientProvider` of "
                "mcp.client.auth)."
            )

    def make(
        self, headers: dict[str, str] | None = None, timeout: Any = None, auth: Any = None
    ) -> Any:
        """A client that notes what goes wrong."""
        self.check_auth()
        library = http_library()
        if self.factory is None:
            settings = {"headers": headers, "timeout": timeout, "auth": auth}
            client = library.AsyncClient(
                follow_redirects=True, **{k: v for k, v in settings.items() if v is not None}
            )
        else:
            client = self.factory(headers=headers, timeout=timeout, auth=auth)
        if not isinstance(client, library.AsyncClient):
            name = "httpx2" if is_v2() else "httpx"
            raise UserError(
                f"httpx_client_factory returned a {type(client).__module__}.{type(client).__name__}; "
                f"this version of the mcp library needs an {name}.AsyncClient."
            )
        # No event hook: that would see what an `auth` is about to mend.
        client.send = self._sending(client.send)
        return client

    def _sending(self, send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def sent(request: Any, **options: Any) -> Any:
            response = await send(request, **options)
            message = _message_of(request)
            return response if message is None else await self._seen(response, message)

        return sent

    async def _seen(self, response: Any, message: dict[str, Any]) -> Any:
        status, method = response.status_code, str(message.get("method"))
        failures = _failures_of(message)
        if status < CLIENT_ERROR:
            session = response.headers.get("mcp-session-id")
            if session and method == "initialize" and self.on_session is not None:
                self.on_session(session)
            if self.max_bytes is not None:
                response.stream = _bounded()(response.stream, self.max_bytes, failures)
        elif method == "notifications/initialized" and self.ignores_initialized:
            response.status_code = 202
        elif failures is not None:
            failures.statuses.append(status)
        if status >= CLIENT_ERROR and self.on_refusal is not None and method not in _HANDSHAKE:
            self.on_refusal(status)
        if method in _HANDSHAKE:
            if status >= SERVER_ERROR and not method.startswith("notifications/"):
                await response.aclose()
                # A server that is down has not said which version it speaks: do not try another one.
                response.raise_for_status()
            return response
        return response if is_v2() or self.on_refusal else await completed(response, message)


def _is_httpx_auth(kind: type[object]) -> bool:
    return any(base.__module__.partition(".")[0] == "httpx" for base in kind.__mro__)


def _message_of(request: Any) -> dict[str, Any] | None:
    """The JSON-RPC message in a request; None if it has none."""
    if request.method != "POST":
        return None
    try:
        message: Any = json.loads(request.content)
    except Exception:  # noqa: BLE001  # somebody else's request: a stream, a form
        return None
    return message if isinstance(message, dict) and "jsonrpc" in message else None  # pyright: ignore[reportUnknownVariableType]


@cache
def _bounded() -> Any:
    """A class of bodies that end with an error if they are too large."""

    class Bounded(http_library().AsyncByteStream):
        """The body of an answer."""

        def __init__(self, stream: Any, limit: int, failures: Failures | None) -> None:
            self._stream, self._limit, self._failures = stream, limit, failures

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for part in self._stream:
                size += len(part)
                if size > self._limit:
                    raise http_library().StreamError(_note_excess(self._limit, self._failures))
                yield part

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Bounded


def excess(limit: int | None) -> MCPTooLargeError:
    """What to say of an answer that is too large."""
    return MCPTooLargeError(
        f"An MCP server sent more than {limit} bytes in one answer. Ask it for less, or allow more: "
        "max_result_bytes=..."
    )


def _note_excess(limit: int, failures: Failures | None) -> str:
    error = excess(limit)
    if failures is not None:
        failures.errors.append(error)
    return str(error)
