"""What the libraries make of an endpoint that fails: an error of ours, whatever they raise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct

import pytest

from outlast import Agent, AgentsException, ModelSettings
from outlast.core.errors import ModelRequestError

pytestmark = [
    pytest.mark.endpoints,
    # LiteLLM and any-llm use what others have deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LIBRARIES = pytest.mark.parametrize("way", ["litellm", "any-llm chat"], indirect=True)
SETTINGS = ModelSettings(retry={"max_retries": 0}, extra_args={"timeout": 10})

CHUNK = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "he"}}],
}
OK = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: "
STREAM = f"{OK}text/event-stream\r\n\r\ndata: {json.dumps(CHUNK)}\n\n"
SECRET = "the prompt, repeated"
ANSWERS = {
    "a stream that ends": STREAM,
    "a stream with half an event": f"{STREAM}data: {{",
    "a stream with an error": f'{STREAM}data: {{"error": {{"message": "{SECRET}"}}}}\n\n',
    "html": f"{OK}text/html\r\n\r\n<h1>{SECRET}</h1>",
    "null": f"{OK}application/json\r\n\r\nnull",
    "no choices": f'{OK}application/json\r\n\r\n{{"id": "c", "choices": null}}',
    "nothing": "",
    "500": f"HTTP/1.1 500 Oh\r\nconnection: close\r\n\r\n{SECRET}",
    "401": f"HTTP/1.1 401 No\r\nconnection: close\r\n\r\n{SECRET}",
}


@contextlib.asynccontextmanager
async def answering(answer, *, reset=False):
    async def answered(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())
        await writer.drain()
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    async with await asyncio.start_server(answered, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@LIBRARIES
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_bad_answer_is_an_error_of_ours_without_its_text(way, play, at, answer):
    async with answering(answer) as url:
        agent = Agent("talker", model=way(at(url), "m"), model_settings=SETTINGS)

        with pytest.raises(AgentsException) as failure:
            await play(agent)

    assert SECRET not in str(failure.value)


@LIBRARIES
async def test_a_lost_connection_is_a_failed_request(way, play, at):
    async with answering("", reset=True) as url:
        agent = Agent("talker", model=way(at(url), "m"), model_settings=SETTINGS)

        with pytest.raises(ModelRequestError):
            await play(agent)
