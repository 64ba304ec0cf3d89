"""Version 1 of the `mcp` library leaves a request waiting when HTTP goes wrong: here it gets an answer.

There a refused POST ends the whole connection, and a body that is none, or that breaks off, ends
nothing at all. Version 2 answers the request with an error of the protocol. So does this, before the
library sees the response: whatever else is in flight goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from outlast.mcp.library import CONNECTION_CLOSED, http_library

INTERNAL_ERROR = -32603
INVALID_REQUEST = -32600
REFUSED = 400
NOT_FOUND = 404
ACCEPTED = 202
_ID = re.compile(rb"^id:", re.MULTILINE)
JSON = "application/json"


async def completed(response: Any, message: dict[str, Any]) -> Any:
    """``response``, or in its place one that the library can pass on to whoever asked ``message``."""
    if "method" not in message or "id" not in message:
        if response.status_code >= REFUSED:
            response.status_code = ACCEPTED  # Nobody waits for it.
        return response
    if response.status_code == NOT_FOUND or response.has_redirect_location:
        return response  # The library knows: the session is gone; there is another address.
    if response.status_code >= REFUSED:
        return await _instead(response, message, "Server returned an error response")
    if response.status_code == ACCEPTED:
        return await _instead(response, message, "Accepted, without an answer", INVALID_REQUEST)
    return await _complete_body(response, message)


async def _complete_body(response: Any, message: dict[str, Any]) -> Any:
    kind = response.headers.get("content-type", "").lower()
    if kind.startswith("text/event-stream"):
        response.stream = _completed_stream()(response.stream, message)
        return response
    if not kind.startswith(JSON):
        text = f"Unexpected content type: {kind}"
        return await _instead(response, message, text, INVALID_REQUEST)
    try:
        json.loads(await response.aread())
    except ValueError:
        return await _instead(response, message, "What it sent is no JSON")
    except (http_library().RequestError, http_library().StreamError):
        return await _instead(response, message, "Connection closed", CONNECTION_CLOSED)
    return response


async def _instead(
    response: Any, message: dict[str, Any], text: str, code: int = INTERNAL_ERROR
) -> Any:
    await response.aclose()
    return http_library().Response(
        200,
        headers={"content-type": JSON},
        content=_error(message, text, code),
        request=response.request,
    )


def _error(message: dict[str, Any], text: str, code: int) -> bytes:
    error = {"code": code, "message": text}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode()


@cache
def _completed_stream() -> Any:
    """A class of event streams that answer at their end. Whoever had an answer has stopped reading."""

    class Completed(http_library().AsyncByteStream):
        """The events of a response."""

        def __init__(self, stream: Any, message: dict[str, Any]) -> None:
            self._stream, self._message = stream, message

        async def __aiter__(self) -> AsyncIterator[bytes]:
            can_go_on = False
            try:
                async for part in self._stream:
                    can_go_on = can_go_on or bool(_ID.search(part))
                    yield part
            except (http_library().RequestError, http_library().StreamError):
                pass
            if not can_go_on:  # With an event's id, the library asks for what came after it.
                data = _error(self._message, "Connection closed", CONNECTION_CLOSED)
                yield b"\n\nevent: message\ndata: " + data + b"\n\n"

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Completed
