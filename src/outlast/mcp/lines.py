"""The lines that a stdio server and we write to each other, and how long one of its may be.

The library's own reader copies what it has of a line with each part that comes, which takes minutes for
one of 50 MB. Here a line is put together once, and one that is too long is not kept: whoever waits for
it is told so.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from outlast.mcp.library import is_v2, module

PART_BYTES = 2**18
ID_IS_WITHIN = 4_096
TOO_LARGE = -32_098
"""The code of an error of ours, in place of an answer that is too long."""
_ID = re.compile(rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{1,200}")')


async def messages(reader: asyncio.StreamReader, limit: int | None) -> AsyncIterator[Any]:
    """What comes in as the library's messages; what is none as an exception."""
    async for line in _lines(reader, limit):
        try:
            yield message_of(line)
        except Exception as error:  # noqa: BLE001  # somebody else's text; the session is told
            yield error


async def _lines(reader: asyncio.StreamReader, limit: int | None) -> AsyncIterator[bytes]:
    parts: list[bytes] = []
    size = 0
    while part := await reader.read(PART_BYTES):
        *ended, part = part.split(b"\n")
        for end in ended:
            line, size = _joined(parts, end, size, limit), 0
            parts = []
            if line.strip():
                yield line
        size += len(part)
        parts = _kept(parts, part, size, limit)


def _kept(parts: list[bytes], part: bytes, size: int, limit: int | None) -> list[bytes]:
    """The parts of a line; of one that is too long its beginning and its end."""
    parts.append(part)
    if limit is None or size <= limit:
        return parts
    end = b"".join(parts[-2:])[-ID_IS_WITHIN:]
    return [b"".join(parts[:-1])[:ID_IS_WITHIN], end]


def _joined(parts: list[bytes], end: bytes, size: int, limit: int | None) -> bytes:
    if limit is None or size + len(end) <= limit:
        return b"".join((*parts, end))
    whole = b"".join(parts)
    found = _ID.search(whole[:ID_IS_WITHIN]) or _ID.search((whole + end)[-ID_IS_WITHIN:])
    if found is None:
        return b"{}"  # Nobody can be told. It is no message, and so an exception.
    text = f"more than {limit} bytes"
    error = {"code": TOO_LARGE, "message": text}
    return json.dumps({"jsonrpc": "2.0", "id": json.loads(found[1]), "error": error}).encode()


def message_of(line: bytes) -> Any:
    """A line as what the library's session reads.

    Raises:
        ValueError: It is none.
    """
    if is_v2():
        types: Any = module("types")
        parsed = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    else:
        parsed = module("types").JSONRPCMessage.model_validate_json(line)
    return module("shared.message").SessionMessage(parsed)


def line_of(message: Any) -> bytes:
    """What the library's session writes, as a line."""
    whole = {"exclude_unset": True} if is_v2() else {"exclude_none": True}
    return message.message.model_dump_json(by_alias=True, **whole).encode() + b"\n"
