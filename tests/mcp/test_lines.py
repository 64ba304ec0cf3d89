"""Which call a line of a server belongs to that is too long to be kept."""

import asyncio
import json
from typing import Any

import pytest

from outlast.mcp.lines import TOO_LARGE, UNREADABLE, messages

LIMIT = 10_000


class Asked(int):
    """The id of a question of the server's, which is answered."""


BIG = "x" * 300_000
WHOSE: list[tuple[str, Any]] = [
    ('{"jsonrpc":"2.0","id":5,"result":{"id":7,"text":"%s"}}', 5),
    ('{"result":{"text":"%s"},"jsonrpc":"2.0","id":5}', 5),
    ('{"result":{"structuredContent":{"id":1},"content":"%s"},"id":5,"jsonrpc":"2.0"} ', 5),
    ('{"result":"%s", "id" : "a-1" }\r', "a-1"),
    ('{"id":1,"jsonrpc":"2.0","error":{"code":5,"message":"%s"}}', 1),
    ('{"result":{"text":"%s","id":9}}', None),
    ('{"result":{"text":"%s,\\"id\\":5}"}}', None),
    ('{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{"text":"%s"}}', Asked(5)),
    ('{"method":"roots/list","params":{"text":"%s"},"jsonrpc":"2.0","id":5}', Asked(5)),
    ('{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%s"}}', None),
    ('{"a":01,"b":"%s"}', None),
]


async def read(reader: asyncio.StreamReader) -> tuple[list[Any], list[bytes]]:
    """The messages, and what the server is answered by itself."""
    sent: list[bytes] = []
    return [each async for each in messages(reader, LIMIT, sent.append)], sent


def refused(told: Any, sent: list[bytes]) -> tuple[Any, Any]:
    """What is refused, and with which code: an answer in its own place, a question by an answer."""
    if not isinstance(told, Exception):
        assert not sent
        wire = told.message.model_dump(mode="json")
    elif sent:
        (wire,) = map(json.loads, sent)
    else:
        return None, None
    return wire["id"], wire["error"]["code"]


@pytest.mark.parametrize(("line", "number"), WHOSE)
@pytest.mark.parametrize("part", [1_000, 2**16, 2**20])
async def test_a_line_that_is_too_long_is_an_error_of_the_call_that_it_answers(
    line: str, number: Any, part: int
):
    after = {"jsonrpc": "2.0", "id": 6, "result": {}}
    text = f"{line.replace('%s', BIG)}\n{json.dumps(after)}\n".encode()
    reader = asyncio.StreamReader(2**21)
    for start in range(0, len(text), part):
        reader.feed_data(text[start : start + part])
    reader.feed_eof()
    (big, small), sent = await read(reader)
    assert refused(big, sent) == (number, TOO_LARGE if number else None)
    assert small.message.model_dump()["id"] == 6


DEEP = '{"a":' * 400 + "1" + "}" * 400
UNREAD: list[tuple[str, Any]] = [
    ('{"jsonrpc":"2.0","id":5,"result":%s}', 5),
    ('{"result":%s,"id":"a-1","jsonrpc":"2.0"}', "a-1"),
    ('{"jsonrpc":"2.0","id":5,"result":{"a":', 5),
    ('{"jsonrpc":"2.0","id":5,"method":"roots/list","params":%s}', Asked(5)),
    ('{"jsonrpc":"2.0","id":null,"result":%s}', None),
    ('{"id":5,"level":"info"}', None),
    ("welcome", None),
]


@pytest.mark.parametrize(("line", "number"), UNREAD)
async def test_a_line_that_cannot_be_read_is_an_error_of_the_call_that_it_answers(
    line: str, number: Any
):
    reader = asyncio.StreamReader()
    reader.feed_data(line.replace("%s", DEEP).encode() + b"\n")
    reader.feed_eof()
    (told,), sent = await read(reader)
    assert refused(told, sent) == (number, UNREADABLE if number else None)
