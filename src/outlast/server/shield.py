"""What stands before everything else: the name of the host, sizes, and an id for each request.

A page of another site can make a browser ask 127.0.0.1, also by a name that it lets point there. It
cannot choose the `Host` header, so that is looked at first, for requests and for sockets.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from outlast.definitions.given import check_number
from outlast.definitions.logger import logger
from outlast.server.logs import begin_request
from outlast.server.problems import Problem, answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Told = Callable[[str, str, int, float], None]
"""Hears of a request: its route, its method, what was answered, and how long it took."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORT = re.compile(r":\d+$")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a request is read.

    Attributes:
        body_bytes: Of a body.
        header_bytes: Of all headers.
        url_bytes: Of the address.
        body_s: Seconds in which a body has to be there.
    """

    body_bytes: int = 4 * 2**20
    header_bytes: int = 32 * 2**10
    url_bytes: int = 8 * 2**10
    body_s: float = 30.0

    def __post_init__(self) -> None:
        for name in ("body_bytes", "header_bytes", "url_bytes"):
            check_number(f"Limits({name}=...)", getattr(self, name), above=True, whole=True)
        check_number("Limits(body_s=...)", self.body_s, above=True)


class Shield:
    """An ASGI app in front of another one."""

    def __init__(self, app: Asgi, hosts: frozenset[str], limits: Limits, told: Told) -> None:
        self._app = app
        self._hosts = hosts
        """Empty: any."""
        self._limits = limits
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        named = {key: value.decode("latin-1") for key, value in headers}
        request_id = named.get(b"x-request-id", "")
        if not _ID.match(request_id):
            request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        begin_request(request_id)
        if scope["type"] == "websocket":
            if self._is_known(named.get(b"host", "")):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 4403})
            return
        told = _Told(send, request_id)
        problem = self._problem(scope, headers, named)
        if problem is None:
            await self._app(scope, self._bounded(receive), told)
        else:
            response = answer(problem, instance=scope["path"], request_id=request_id)
            await response(scope, receive, told)
        self._told(told.log(scope), scope["method"], told.code, told.seconds)

    def _is_known(self, host: str) -> bool:
        return not self._hosts or _PORT.sub("", host).lower() in self._hosts

    def _problem(
        self, scope: Scope, headers: list[tuple[bytes, bytes]], named: dict[bytes, str]
    ) -> Problem | None:
        limits = self._limits
        if not self._is_known(named.get(b"host", "")):
            return Problem(
                421, "unknown-host", "Ask by a name that the server was told: --allow-host NAME."
            )
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > limits.url_bytes:
            return Problem(414, "too-long", f"An address has at most {limits.url_bytes} bytes.")
        if sum(len(key) + len(value) for key, value in headers) > limits.header_bytes:
            return Problem(
                431, "headers-too-large", f"Headers have at most {limits.header_bytes} bytes."
            )
        length = named.get(b"content-length", "0")
        if not length.isdecimal() or int(length) > limits.body_bytes:
            return self._too_large()
        return None

    def _too_large(self) -> Problem:
        return Problem(413, "too-large", f"A body has at most {self._limits.body_bytes} bytes.")

    def _bounded(self, receive: Receive) -> Receive:
        read, is_whole = 0, False
        deadline = time.monotonic() + self._limits.body_s

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal read, is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                raise Problem(
                    408, "timeout", f"A body has to be there in {self._limits.body_s:.0f} s."
                ) from None
            read += len(message.get("body", b""))
            is_whole = not message.get("more_body")
            if read > self._limits.body_bytes:
                raise self._too_large()
            return message

        return bounded


class _Told:
    """Sends an answer on, with what every answer says, and remembers how it began."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self._began = time.monotonic()
        self.code = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            own = [*_ALWAYS, (b"x-request-id", self._request_id.encode())]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await self._send(message)

    @property
    def seconds(self) -> float:
        """How long the request has taken."""
        return time.monotonic() - self._began

    def log(self, scope: Scope) -> str:
        """Write a line about the request into the log, without body or query; returns its route."""
        found: Any = scope.get("route")
        route = str(getattr(found, "path", "other"))
        run_id = scope.get("path_params", {}).get("run_id")
        facts = {"route": route, "method": scope["method"], "code": self.code}
        facts |= {"ms": round(1000 * self.seconds, 1)} | ({"run_id": run_id} if run_id else {})
        logger.info(
            "request %s %s %s %d %.0f ms",
            self._request_id,
            scope["method"],
            route if found is not None else scope["path"][:200],
            self.code,
            1000 * self.seconds,
            extra={"facts": facts},
        )
        return route
