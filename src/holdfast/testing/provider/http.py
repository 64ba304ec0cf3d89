"""HTTP/1.1 by hand, from the server's side: a library would not let us break it.

A request is read properly. An answer is written properly by `Connection.respond` and
`Connection.begin_stream`, and as badly as one wants by `Connection.write`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

MAX_BODY_BYTES = 256 * 2**20
_MAX_HEAD_BYTES = 2**20
_REASONS = {
    200: "OK", 301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect",
    308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
    403: "Forbidden", 404: "Not Found", 408: "Request Timeout", 409: "Conflict",
    413: "Content Too Large", 422: "Unprocessable Entity", 429: "Too Many Requests",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 529: "Overloaded",
}  # fmt: skip


@dataclass
class ProviderRequest:
    """One request as it arrived. A frame of a websocket is a request of the method ``WS``."""

    method: str
    path: str
    """Without the query, percent-encoding left as it is."""
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""
    raw: bytes
    connection: int
    """Requests of one number came over one connection."""
    transport: Literal["http", "websocket"] = "http"
    client_left: bool = field(default=False, compare=False)
    """Whether the client closed its connection before the answer was complete."""

    @property
    def body(self) -> Any:
        """The body's JSON; None if there is none or it is not JSON."""
        with contextlib.suppress(ValueError):
            return json.loads(self.raw)
        return None

    def facts(self) -> dict[str, Any]:
        """The request as plain data, for a log in JSON. Keys and cookies are not in it."""
        shown = {k: v for k, v in self.headers.items() if k not in _SECRET_HEADERS}
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": shown,
            "body": self.body,
            "connection": self.connection,
            "transport": self.transport,
        }


_SECRET_HEADERS = {"authorization", "cookie", "api-key", "x-api-key", "proxy-authorization"}


class ClientLeft(Exception):
    """The client closed the connection, or broke it, or sent what is not HTTP."""


class Cut(ClientLeft):
    """The connection has been ended on purpose, by a fault."""


class Connection:
    """A client's connection, and what can be done to it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self.reader = reader
        self.number = number
        self._writer = writer

    async def read_request(self) -> ProviderRequest:
        """The next request of the connection.

        Raises:
            ClientLeft: There is none.
        """
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ", 2)
            pairs = (line.partition(":") for line in lines[1:] if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            if headers.get("expect", "").lower() == "100-continue":
                await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            raw = await self._body(headers)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError) as e:
            raise ClientLeft from e
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return ProviderRequest(method, parts.path, query, headers, raw, self.number)

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            size = int(headers.get("content-length", 0))
            if size > MAX_BODY_BYTES:
                raise ClientLeft
            return await self.reader.readexactly(size)
        parts: list[bytes] = []
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readuntil(b"\r\n")
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return b"".join(parts)

    async def respond(
        self, status: int, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        """Send one complete answer. A mapping is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        await self.write(head(status, told | (headers or {})) + raw)

    async def begin_stream(self, headers: dict[str, str] | None = None) -> None:
        """Send the head of an event stream; its parts follow with `write_chunk`."""
        told = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        await self.write(head(200, told | (headers or {})))

    async def write_chunk(self, raw: bytes) -> None:
        """Send a part of a stream; an empty one ends it."""
        await self.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")

    async def write(self, raw: bytes) -> None:
        """Send bytes, and wait until most of them are on their way.

        Raises:
            ClientLeft: Nobody receives them.
        """
        try:
            self._writer.write(raw)
            await self._writer.drain()
        except OSError as error:
            raise ClientLeft from error

    async def hang(self) -> None:
        """Send nothing more, and wait until the client goes. It always raises `ClientLeft`."""
        with contextlib.suppress(OSError):
            while await self.reader.read(2**16):
                pass
        raise ClientLeft

    async def drip(self, raw: bytes, pause_s: float) -> None:
        """Send bytes one at a time."""
        for index in range(len(raw)):
            await self.write(raw[index : index + 1])
            await asyncio.sleep(pause_s)

    def reset(self) -> None:
        """Break the connection: the client sees a reset, whatever it has not read yet is lost."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            # Lingering for no time makes the close a reset also when everything was sent.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        """End the connection; what was written is still delivered."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def head(status: int, headers: dict[str, str]) -> bytes:
    """The head of an answer, with its empty line."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def listen(accept: Any, host: str, port: int) -> asyncio.Server:
    """A listening server whose readers take whole large requests."""
    return await asyncio.start_server(accept, host, port, limit=_MAX_HEAD_BYTES)


def url_of(server: asyncio.Server, scheme: str = "http") -> str:
    """The address of a listening server, without a path."""
    host, port = server.sockets[0].getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
