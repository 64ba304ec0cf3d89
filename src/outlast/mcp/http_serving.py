"""Serving over HTTP: who may listen where, and who may ask."""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from outlast.core.errors import UserError
from outlast.mcp.library import is_v2

LOOPBACK = ("127.0.0.1", "localhost", "::1")
GRACE_S = 5
"""How long calls may take that go on when the server is told to end. They go on when they are asked again."""
VARIABLE = "OUTLAST_MCP_TOKEN"

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


async def serve_http(
    server: Any, host: str, port: int, token: str, announce: Callable[[str], None]
) -> None:
    """Serve until cancelled.

    Args:
        server: One of the library's.
        host: Where to listen.
        port: Where to listen; 0 for any that is free.
        token: What clients have to know; empty for nothing.
        announce: Told the URL, once clients can connect.

    Raises:
        UserError: Others could reach it, and there is no token that they have to know; or somebody
            else listens there.
    """
    import uvicorn

    app = guarded_app(server, host, token)
    listener = _listener(host, port)
    shown = f"[{host}]" if ":" in host else host
    announce(f"http://{shown}:{listener.getsockname()[1]}/mcp")
    config = uvicorn.Config(app, timeout_graceful_shutdown=GRACE_S, log_level="warning")
    serving = uvicorn.Server(config)
    task = asyncio.ensure_future(serving.serve([listener]))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        serving.should_exit = True
        await asyncio.wait([task])
        raise
    task.result()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UserError(
            f"Cannot listen at {host!r}, port {port}: {error.strerror or error}. Choose another port, 0 "
            "for any that is free, or end what listens there."
        ) from None


def guarded_app(server: Any, host: str, token: str) -> Any:
    """The application of one of the library's servers, for those who know ``token``; empty: for all.

    Pages of other sites that a browser here shows are kept out by the library, which looks at `Host`
    and `Origin`, where the server listens to this machine only.

    Raises:
        UserError: Others than this machine could reach it, and there is no token.
    """
    if host not in LOOPBACK and not token:
        raise UserError(
            f"An MCP server that listens at {host!r} lets everybody who reaches it ask the agent, and "
            f"decide about its calls. Set {VARIABLE} to a long random text, which clients send as "
            "'Authorization: Bearer ...'; or listen at 127.0.0.1."
        )
    if is_v2():
        app = server.streamable_http_app(host=host)
    else:
        server.settings.host = host
        if host not in LOOPBACK:
            server.settings.transport_security = None  # It was made for this machine only.
        app = server.streamable_http_app()
    return _Guard(app, token) if token else app


class _Guard:
    """Lets through whoever sends the token."""

    def __init__(self, app: Any, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_right(scope):
            await self._app(scope, receive, send)
            return
        headers = [(b"www-authenticate", b"Bearer"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _is_right(self, scope: Scope) -> bool:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = sent[0].partition(b" ") if len(sent) == 1 else (b"", b"", b"")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
