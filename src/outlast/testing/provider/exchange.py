"""One request and the ways to answer it: what faults, and good answers, are played on."""

from __future__ import annotations

import asyncio
import enum
import json
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from outlast.testing.provider.http import Connection, ProviderRequest, head
from outlast.testing.provider.parsed import as_object
from outlast.testing.provider.websocket import WebSocket
from outlast.testing.steps import each_of

DONE = b"data: [DONE]\n\n"


class Act(enum.Enum):
    """What can happen in the middle of a stream, beside events."""

    HANG = "nothing more comes"
    RST = "the connection is reset"
    FIN = "the connection is closed inside a chunk"
    COMMENTS = "comments for ever, and no event"
    DRIP = "what follows comes one byte at a time"


Piece = dict[str, Any] | bytes | Act
"""Part of a stream: an event, bytes to be sent as they are, or an act."""


@dataclass
class Exchange:
    """A request that waits for its answer."""

    connection: Connection
    request: ProviderRequest
    api: Literal["chat", "responses"]
    base_url: str
    """This server's."""
    elsewhere_url: str
    """Another server's, for redirects."""
    canary: str
    """A secret to be put where no program should look, or at least not repeat it."""
    pause_s: float = 0.0
    """Between two events of a stream."""
    drip_s: float = 1.0
    """Between two bytes or comments of a slow answer."""
    socket: WebSocket | None = None
    number: int = 0
    """The how-manieth request this is."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Added to the answer."""

    @property
    def streamed(self) -> bool:
        """Whether the request asks for a stream."""
        return self.socket is not None or as_object(self.request.body).get("stream") is True

    @property
    def content_type(self) -> str:
        """What a good answer would be."""
        return "text/event-stream" if self.streamed else "application/json"

    def told(self, value: Any) -> Any:
        """A JSON value with the canary wherever it says ``{canary}``."""
        return json.loads(json.dumps(value).replace("{canary}", self.canary))

    async def respond(
        self, status: int, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        """Send a complete answer. Over a websocket, it is one frame."""
        told = self.headers | (headers or {})
        if self.socket is None:
            await self.connection.respond(status, body, told)
        elif isinstance(body, bytes):
            await self.socket.send(body)
        else:
            inner = body if status < 400 else {"type": "error", "status": status, **body}  # noqa: PLR2004 (where errors begin)
            await self.socket.send(json.dumps(inner).encode())

    async def refuse(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send an error in the API's form."""
        await self.respond(status, error_body(message, code), headers)

    async def stream(self, pieces: Iterable[Piece] | AsyncIterable[Piece]) -> None:
        """Send a stream, and end it properly unless a piece says otherwise."""
        if self.socket is None:
            told = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
            await self.connection.write(head(200, told | self.headers))
        dripping = False
        async for piece in each_of(pieces):
            if self.pause_s and isinstance(piece, dict):
                await asyncio.sleep(self.pause_s)
            if isinstance(piece, Act):
                await self._act(piece)
                dripping = True  # Only a drip comes back from its act.
            elif dripping:
                await self._drip(piece)
            else:
                await self._send(piece)
        if self.socket is None:
            await self.connection.write_chunk(b"")

    def encoded(self, piece: dict[str, Any] | bytes) -> bytes:
        """An event as server-sent event; bytes as they are."""
        if isinstance(piece, bytes):
            return piece
        data = b"data: " + json.dumps(piece).encode() + b"\n\n"
        kind = piece.get("type")
        named = self.api == "responses" and isinstance(kind, str)
        return f"event: {kind}\n".encode() + data if named else data

    async def _send(self, piece: dict[str, Any] | bytes) -> None:
        if self.socket is None:
            await self.connection.write_chunk(self.encoded(piece))
            return
        raw = piece if isinstance(piece, bytes) else json.dumps(piece).encode()
        text = raw.strip().removeprefix(b"data:").strip()
        if text and not text.startswith(b":"):  # A websocket knows no comments.
            await self.socket.send(text)

    async def _drip(self, piece: dict[str, Any] | bytes) -> None:
        for byte in self.encoded(piece):
            if self.socket is None:
                await self.connection.write_chunk(bytes([byte]))
            await asyncio.sleep(self.drip_s)
        if self.socket is not None:
            await self._send(piece)

    async def _act(self, act: Act) -> None:
        match act:
            case Act.HANG:
                raise await self.connection.cut("hang")
            case Act.RST:
                raise await self.connection.cut("reset")
            case Act.FIN:
                if self.socket is None:
                    await self.connection.write(b"400\r\ndata: {")
                raise await self.connection.cut("close")
            case Act.COMMENTS:
                while True:
                    if self.socket is None:
                        await self.connection.write_chunk(b": ping\n\n")
                    else:
                        await self.socket.ping()
                    await asyncio.sleep(self.drip_s)
            case Act.DRIP:
                return


def error_body(message: str, code: str | None = None) -> dict[str, Any]:
    """An error in the form of the API."""
    told = {"message": message, "type": code or "error", "param": None, "code": code}
    return {"error": told}
