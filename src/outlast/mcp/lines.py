"""The lines that a stdio server and we write to each other, and how long one of its may be.

The library's own reader copies what it has of a line with each part that comes, which takes minutes for
one of 50 MB. Here a line is put together once, and one that is too long is not kept: whoever waits for
it is told so.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from outlast.mcp.library import is_v2, module

PART_BYTES = 2**18
ID_IS_WITHIN = 4_096
TOO_LARGE = -32_098
"""The code of an error of ours, in place of an answer that is too long, and to a question that is."""
UNREADABLE = -32_097
"""And of one that is no JSON, or that is nested more deeply than the library reads."""
_PAIR = rb'\s*"(\w+)"\s*:\s*(-?\d{1,18}|"[^"\\]{0,200}"|null|true|false)\s*'
_FIRST = re.compile(_PAIR + rb",")
_LAST = re.compile(rb",(?:" + _PAIR + rb",)*" + _PAIR + rb"\}\s*$")
_PAIRS = re.compile(rb",?" + _PAIR)


async def messages(
    reader: asyncio.StreamReader, limit: int | None, answer: Callable[[bytes], None]
) -> AsyncIterator[Any]:
    """What comes in as the library's messages; what is none as an exception.

    Args:
        reader: Where it comes from.
        limit: How many bytes a line may have.
        answer: Sends a line back. A question that cannot be read is refused by it, and an answer in
            its own place: nobody is to wait for what will not come.
    """
    async for line, is_whole in _lines(reader, limit):
        message = _message(line) if is_whole else ValueError(f"A line of over {limit} bytes.")
        if not isinstance(message, ValueError):
            yield message
            continue
        fields = _outer_fields(line)
        refusal = _refusal(fields, None if is_whole else limit)
        if refusal is not None and "method" not in fields:
            yield message_of(refusal)
            continue
        if refusal is not None:
            answer(refusal + b"\n")
        yield message


def _message(line: bytes) -> Any:
    """A line as a message; a `ValueError` if it is none."""
    try:
        return message_of(line)
    except Exception as error:  # noqa: BLE001  # somebody else's text; the session is told
        return error if isinstance(error, ValueError) else ValueError(str(error))


def _refusal(fields: dict[str, Any], limit: int | None) -> bytes | None:
    """What to tell whoever waits for what became of a message; None if nobody does.

    Args:
        fields: What it says of itself.
        limit: How long it may be, if it is longer.
    """
    number = fields.get("id")
    if type(number) not in (int, str):
        return None
    if limit is not None:
        return _error(number, TOO_LARGE, f"more than {limit} bytes")
    if fields.get("jsonrpc") != "2.0":
        return None
    return _error(number, UNREADABLE, "what is broken, or nested too deeply to be read")


def _error(number: Any, code: int, text: str) -> bytes:
    error = {"code": code, "message": text}
    return json.dumps({"jsonrpc": "2.0", "id": number, "error": error}).encode()


async def _lines(
    reader: asyncio.StreamReader, limit: int | None
) -> AsyncIterator[tuple[bytes, bool]]:
    """Each line, and whether that is all of it: of one that is too long it is both ends."""
    parts: list[bytes] = []
    size = 0
    while part := await reader.read(PART_BYTES):
        *ended, part = part.split(b"\n")
        for end in ended:
            line, is_whole = b"".join((*parts, end)), limit is None or size + len(end) <= limit
            parts, size = [], 0
            if line.strip():
                yield line, is_whole
        size += len(part)
        parts = _kept(parts, part, size, limit)


def _kept(parts: list[bytes], part: bytes, size: int, limit: int | None) -> list[bytes]:
    """The parts of a line; of one that is too long its beginning and its end."""
    parts.append(part)
    if limit is None or size <= limit:
        return parts
    whole = b"".join(parts)
    return [whole[:ID_IS_WITHIN], whole[ID_IS_WITHIN:][-ID_IS_WITHIN:]]


def _outer_fields(line: bytes) -> dict[str, Any]:
    """What a message says of itself before and behind what is long in it: its id, its method.

    Fields of the same names further in are those of somebody's data.
    """
    pairs: list[tuple[bytes, bytes]] = []
    at = line.find(b"{") + 1
    while found := _FIRST.match(line, at, ID_IS_WITHIN):
        pairs.append((found[1], found[2]))
        at = found.end()
    if last := _LAST.search(line, max(at - 1, len(line) - ID_IS_WITHIN)):
        pairs += _PAIRS.findall(last[0])
    try:
        return {name.decode(): json.loads(value) for name, value in pairs}
    except ValueError:
        return {}


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
