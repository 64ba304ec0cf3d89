"""The server's side of a websocket: text frames both ways, by hand for the same reason as HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct

from outlast.testing.provider.http import ClientLeft, Connection, ProviderRequest

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_LONG, _VERY_LONG = 126, 127


def wants_websocket(request: ProviderRequest) -> bool:
    """Whether a request asks to go on as a websocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


class WebSocket:
    """A connection that has become a websocket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def accept(cls, connection: Connection, request: ProviderRequest) -> WebSocket:
        """Say yes to the client's handshake."""
        key = request.headers.get("sec-websocket-key", "").encode()
        proof = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()  # noqa: S324 (the protocol's)
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {proof}",
        ]
        await connection.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return cls(connection)

    async def receive(self) -> bytes:
        """The next message; pings are answered meanwhile.

        Raises:
            ClientLeft: The client closed the socket.
        """
        whole = b""
        while True:
            try:
                is_final, kind, payload = await self._frame()
            except (asyncio.IncompleteReadError, OSError) as error:
                raise ClientLeft from error
            if kind == _CLOSE:
                await self._send_frame(_CLOSE, payload)
                raise await self._connection.cut("close")
            if kind == _PING:
                await self._send_frame(_PONG, payload)
            elif kind != _PONG:
                whole += payload
                if is_final:
                    return whole

    async def send(self, text: bytes) -> None:
        """Send a text message, also one that is not UTF-8."""
        await self._send_frame(_TEXT, text)

    async def ping(self) -> None:
        """Send a ping."""
        await self._send_frame(_PING, b"")

    async def _frame(self) -> tuple[bool, int, bytes]:
        reader = self._connection.reader
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == _LONG:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
        elif size == _VERY_LONG:
            (size,) = struct.unpack("!Q", await reader.readexactly(8))
        mask = await reader.readexactly(4) if second & 0x80 else b"\0\0\0\0"
        payload = await reader.readexactly(size)
        key = int.from_bytes(mask * (size // 4 + 1), "big") >> (8 * (4 - size % 4))
        clear = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
        return bool(first & 0x80), first & 0x0F, clear

    async def _send_frame(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        if size < _LONG:
            head = struct.pack("!BB", 0x80 | kind, size)
        elif size < 2**16:
            head = struct.pack("!BBH", 0x80 | kind, _LONG, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, _VERY_LONG, size)
        await self._connection.write(head + payload)
