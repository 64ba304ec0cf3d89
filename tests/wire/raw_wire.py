"""An endpoint that sends prepared bodies as they are, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from openai import AsyncOpenAI

DONE = "data: [DONE]\n\n"


class Wire:
    """Answers each request with the next body; the last one answers all that follow.

    A body is a JSON value, or a list of texts that are sent as a stream.
    """

    def __init__(self, bodies: Sequence[Any]) -> None:
        self.bodies = list(bodies)
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    def client(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self.url, api_key="sk-test", max_retries=0)

    def answer(self) -> tuple[str, bytes]:
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        if isinstance(body, list):
            return "text/event-stream", "".join(body).encode()
        return "application/json", json.dumps(body).encode()


@contextmanager
def wire(*bodies: Any) -> Iterator[Wire]:
    """A running endpoint."""
    it = Wire(bodies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            it.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            kind, body = it.answer()
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    it.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield it
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- Chat Completions. -------------------------------------------------------------------

_ABOUT = {"id": "r1", "created": 1, "model": "m"}


def reply(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    """A plain answer."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {**_ABOUT, "object": "chat.completion", "choices": [choice], "usage": usage}


def chunk(finish: Any = None, **delta: Any) -> str:
    """A piece of a streamed answer."""
    choice = {"index": 0, "finish_reason": finish, "delta": delta}
    body = {**_ABOUT, "object": "chat.completion.chunk", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n"


def streamed(plain: dict[str, Any]) -> list[str]:
    """A plain answer as a stream: each part of the message in a piece of its own."""
    choice = plain["choices"][0]
    message = choice["message"]
    pieces = [chunk(role="assistant")]
    pieces += [chunk(**{k: v}) for k, v in message.items() if k not in ("role", "tool_calls")]
    for number, call in enumerate(message.get("tool_calls") or ()):
        pieces.append(chunk(tool_calls=[{"index": number, **call}]))
    return [*pieces, chunk(choice["finish_reason"]), DONE]


def call(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    """A tool call; without an id unless there is one among ``more``."""
    told = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "function", "function": {"name": name, "arguments": told}, **more}
