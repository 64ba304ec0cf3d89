"""HTTP/1.1 by hand, from the server's side: a library would not let us break it.

A request is read properly. An answer is written properly by `Connection.respond`, and as badly as
one wants by `Connection.write`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

MAX_BODY_BYTES = 256 * 2**20
MAX_HEAD_BYTES = 2**20
_SECRET_HEADERS = {"authorization", "cookie", "api-key", "x-api-key", "proxy-authorization"}
End = Literal["hang", "reset", "close"]


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
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": {k: v for k, v in self.headers.items() if k not in _SECRET_HEADERS},
            "body": self.body,
            "connection": self.connection,
            "transport": self.transport,
        }


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

    async def drip(self, raw: bytes, pause_s: float) -> None:
        """Send bytes one at a time."""
        for index in range(len(raw)):
            await self.write(raw[index : index + 1])
            await asyncio.sleep(pause_s)

    async def cut(self, how: End) -> ClientLeft:
        """Send nothing more: wait until the client goes, or end the connection. To be raised.

        A reset takes from the client what it has not read yet; what was written before a close is
        still delivered.
        """
        match how:
            case "hang":
                with contextlib.suppress(OSError):
                    while await self.reader.read(2**16):
                        pass
                return ClientLeft()
            case "reset":
                await asyncio.sleep(0.05)  # A reset at once would also take back what was sent.
                sock = self._writer.get_extra_info("socket")
                if sock is not None:
                    # Lingering for no time makes the close a reset also when everything was sent.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._writer.transport.abort()
            case "close":
                self._writer.close()
                with contextlib.suppress(OSError):
                    await self._writer.wait_closed()
        return Cut()


def head(status: int, headers: dict[str, str]) -> bytes:
    """The head of an answer, with its empty line."""
    known = status in set(HTTPStatus)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase if known else 'Unknown'}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
