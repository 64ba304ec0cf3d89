"""A provider that answers at once, in a process of its own: only its clients are measured.

Answers are bytes made beforehand. A stream has a chunk for every event, as real servers send them,
all at once; the model `paced` pauses between them, so that every one arrives for itself. Writes its address as the first line; ends when its standard input does.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from common import TEXT

DELTAS = {"fast": 1000, "paced": 300}
PAUSE_S = 0.002
_CREATED_AT = 1_760_000_000
_HEAD = b"HTTP/1.1 200 OK\r\nx-request-id: req_1\r\ncontent-type: "


class Exchange(asyncio.Protocol):
    """One connection: whole requests in, whole answers out."""

    def __init__(self, answers: dict[tuple[str, str], list[bytes]]) -> None:
        self.answers = answers
        self.data = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, _, body = self.data.partition(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        if len(body) < size:
            return
        self.data = b""
        api = "chat" if b"/chat/completions" in head.partition(b"\r\n")[0] else "responses"
        asked = json.loads(body)
        pieces = self.answers[api, asked["model"] if asked.get("stream") else ""]
        if asked["model"] == "paced":
            self.sending = asyncio.create_task(self.paced(pieces))
        else:
            for piece in pieces:  # Each is a call of its own, as in real servers.
                self.transport.write(piece)

    async def paced(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.transport.write(piece)
            await asyncio.sleep(PAUSE_S)


def answers() -> dict[tuple[str, str], list[bytes]]:
    found = {("responses", ""): plain(response(TEXT)), ("chat", ""): plain(completion(TEXT))}
    for model, count in DELTAS.items():
        events, pieces = response_events(count), [*chunks(count), "[DONE]"]
        found["responses", model] = stream(events, lambda event: f"event: {event['type']}\n")
        found["chat", model] = stream(pieces, lambda _: "")
    return found


def plain(answer: Any) -> list[bytes]:
    body = json.dumps(answer).encode()
    return [b"%sapplication/json\r\ncontent-length: %d\r\n\r\n%s" % (_HEAD, len(body), body)]


def stream(events: list[Any], named: Callable[[Any], str]) -> list[bytes]:
    pieces = [_HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"]
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        said = f"{named(event)}data: {data}\n\n".encode()
        pieces.append(b"%x\r\n%s\r\n" % (len(said), said))
    return [*pieces, b"0\r\n\r\n"]


# -- what it says ------------------------------------------------------------------------------


def response(text: str, status: str = "completed") -> dict[str, Any]:
    is_done = status == "completed"
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": _CREATED_AT,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "fast",
        "output": [message(text)] if is_done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if is_done else None,
    }


def message(text: str, status: str = "completed") -> dict[str, Any]:
    content = [part(text)] if status == "completed" else []
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def response_events(count: int) -> list[dict[str, Any]]:
    text = "word " * count
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    delta = {"type": "response.output_text.delta", **at, "delta": "word ", "logprobs": []}
    begun, done = message("", "in_progress"), message(text)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response("", "in_progress")},
        {"type": "response.in_progress", "response": response("", "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.content_part.added", **at, "part": part("")},
        *[{**delta, "obfuscation": "k3XyVdwJq1"} for _ in range(count)],
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": response(text)},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


CHAT_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def completion(text: str) -> dict[str, Any]:
    said = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl_1",
        "object": "chat.completion",
        "created": _CREATED_AT,
        "model": "fast",
        "choices": [choice],
        "usage": CHAT_USAGE,
    }


def chunks(count: int) -> list[dict[str, Any]]:
    return [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        *[chunk({"content": "word "}) for _ in range(count)],
        chunk({}, "stop"),
        {**chunk({}), "choices": [], "usage": CHAT_USAGE},
    ]


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl_1",
        "object": "chat.completion.chunk",
        "created": _CREATED_AT,
        "model": "fast",
        "system_fingerprint": "fp_1",
        "choices": [choice],
        "usage": None,
        "obfuscation": "k3XyVdwJq1",
    }


async def main() -> None:
    said, loop = answers(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Exchange(said), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
