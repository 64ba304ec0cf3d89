"""Chat Completions: a request is a run, and its answer is what the run has come to.

A call that waits for a person is a tool call whose id names the run and the call; a tool message of that
id, whose content says yes or no, decides about it, and the same run goes on.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from outlast.core.items import text_of
from outlast.core.stored import Stored
from outlast.definitions.agent import Agent
from outlast.definitions.clock import wall_s
from outlast.server.callers import Caller, Writer
from outlast.server.feed import Feed, Sign
from outlast.server.live import Draft
from outlast.server.openai.requests import (
    failed,
    items_of,
    new_id,
    object_of,
    order_of,
    refused,
    require_plain,
)
from outlast.server.openai.said import Said, arguments_of, decide, said_in, usage_of
from outlast.server.registry import output_schema
from outlast.server.service import Order, Service, service_of
from outlast.server.shown import Json
from outlast.server.sse import BEAT, HEADERS, MEDIA, frame
from outlast.views.news import news
from outlast.views.status import failure_of
from outlast.views.waiting import waiting_calls

router = APIRouter(prefix="/v1", tags=["openai"])
WAIT_S = 3600.0
_REFUSED = {
    "n": "an agent answers once.",
    "logprobs": "an agent has none.",
    "audio": "agents answer with text.",
    "tools": "the agent's own tools are used.",
    "functions": "the agent's own tools are used.",
}


@router.post("/chat/completions", operation_id="createChatCompletion", response_model=None)
async def completions(request: Request, body: dict[str, Any], caller: Writer) -> Response:
    """The agent's answer to a conversation; with `stream`, as it is written."""
    service = service_of(request)
    require_plain(body, _REFUSED)
    agent = service.agent(str(body.get("model") or ""))
    _require_format(body.get("response_format"), agent)
    answers = _answers(body.get("messages"))
    if answers:
        run_id = next(iter(answers))
        await decide(service, caller, run_id, answers[run_id])
    else:
        run_id = await _begun(service, request, caller, body)
    head = {"Outlast-Run-Id": run_id}
    model = str(body.get("model") or agent.name)
    if body.get("stream"):
        options = object_of(body.get("stream_options")) or {}
        has_usage = bool(options.get("include_usage"))
        chunks = _Chunks(service, run_id, model, has_usage=has_usage)
        return StreamingResponse(chunks.frames(), headers={**HEADERS, **head}, media_type=MEDIA)
    await service.wait(run_id, WAIT_S)
    said = said_in(await service.log(run_id, caller))
    return JSONResponse(_completion(run_id, model, said), headers=head)


async def _begun(service: Service, request: Request, caller: Caller, body: Json) -> str:
    items = items_of(body.get("messages"))
    run_id = new_id("chatcmpl", request, caller)
    order: Order = await order_of(service, request, caller, body, items, run_id=run_id)
    return (await service.begin(order, caller))[0]


def _require_format(wanted: Any, agent: Agent[Any]) -> None:
    """Refuse to be asked for another form than the agent answers in."""
    fields, own = object_of(wanted) or {}, output_schema(agent)
    kind = fields.get("type", "text")
    if wanted is None or (kind == "text" and own is None):
        return
    asked = object_of(fields.get("json_schema")) or {}
    if own is None or kind != "json_schema" or asked.get("schema") != own:
        raise refused("response_format", "is not what this agent answers in; leave it out.")


def _answers(messages: Any) -> dict[str, dict[str, Json]]:
    """The decisions at the end of a conversation, by run and call."""
    found: dict[str, dict[str, Json]] = {}
    for message in reversed(cast("list[Any]", messages) if isinstance(messages, list) else []):
        fields = object_of(message) or {}
        if fields.get("role") != "tool":
            break
        run_id, mark, key = str(fields.get("tool_call_id", "")).partition("~")
        if not mark:
            raise refused(
                "messages", "ends with a tool message that answers no call of an agent's."
            )
        found.setdefault(run_id, {})[key] = _decision(fields.get("content"))
    return found


def _decision(content: Any) -> Json:
    text = content if isinstance(content, str) else ""
    try:
        return object_of(json.loads(text)) or {}
    except (ValueError, RecursionError):
        return {}


# --- The answer. -------------------------------------------------------------------------


def _calls(run_id: str, waiting: Any) -> list[Json]:
    return [
        {
            "id": f"{run_id}~{call.key}",
            "type": "function",
            "function": {"name": call.tool, "arguments": arguments_of(call)},
        }
        for call in waiting
    ]


def _chat_usage(said_state: Any) -> Json:
    usage = usage_of(said_state)
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": usage["input_tokens_details"]["cached_tokens"]},
        "completion_tokens_details": usage["output_tokens_details"],
    }


def _completion(run_id: str, model: str, said: Said) -> Json:
    failure = failure_of(said.state)
    if failure is not None:
        raise failed(failure.kind, failure.message)
    calls = _calls(run_id, said.waiting)
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    return {
        "id": run_id,
        "object": "chat.completion",
        "created": int(said.began_at),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "tool_calls" if calls else "stop",
            }
        ],
        "usage": _chat_usage(said.state),
    }


class _Chunks:
    """The answer of a run as it is written."""

    def __init__(self, service: Service, run_id: str, model: str, *, has_usage: bool) -> None:
        self._feed = Feed(service, run_id, until_rest=True)
        self._run_id = run_id
        self._has_usage = has_usage
        self._head = {
            "id": run_id,
            "object": "chat.completion.chunk",
            "created": int(wall_s()),
            "model": model,
        }
        self._sent: dict[str, int] = {}
        """How much of each reply is sent."""

    async def frames(self) -> AsyncIterator[bytes]:
        """What is sent, until the run ends or waits."""
        yield self._chunk({"role": "assistant", "content": ""})
        async for found in self._feed.read():
            for sent in self._frames(found):
                yield sent

    def _frames(self, found: Stored | Draft | Sign) -> list[bytes]:
        match found:
            case Stored():
                reply = news(found.event, self._feed.state).reply
                return self._text(reply.id, "".join(map(text_of, reply.output))) if reply else []
            case Draft():
                return self._text(found.effect, found.text)
            case Sign.BEAT:
                return [BEAT]
            case Sign.LEAVING:
                return []  # The connection ends without its last word: whoever asks again attaches.
            case Sign.END:
                return self._end()

    def _text(self, effect: str, text: str) -> list[bytes]:
        """What of a reply is not sent yet. Replies are set apart by an empty line."""
        done = self._sent.get(effect, 0)
        if len(text) <= done:
            return []
        gap = "\n\n" if not done and self._sent else ""
        self._sent[effect] = len(text)
        return [self._chunk({"content": gap + text[done:]})]

    def _end(self) -> list[bytes]:
        state = self._feed.state
        failure = failure_of(state)
        if failure is not None:
            error = {
                "message": failure.message,
                "type": "server_error",
                "code": failure.kind,
                "param": None,
            }
            return [frame({"error": error}), b"data: [DONE]\n\n"]
        calls = _calls(self._run_id, waiting_calls(state))
        numbered = [{"index": place, **call} for place, call in enumerate(calls)]
        sent = [self._chunk({"tool_calls": numbered})] if calls else []
        sent.append(self._chunk({}, finish="tool_calls" if calls else "stop"))
        if self._has_usage:
            sent.append(frame({**self._head, "choices": [], "usage": _chat_usage(state)}))
        return [*sent, b"data: [DONE]\n\n"]

    def _chunk(self, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return frame({**self._head, "choices": [choice]})
