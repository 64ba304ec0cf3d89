"""A reply of a model in the words of the two APIs: as one JSON object, and as a stream of them.

Everything here is plain data, because faults have to change it in ways no type would allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from outlast.core.errors import ModelBehaviorError
from outlast.core.usage import Usage
from outlast.definitions.run_items import ModelResponse
from outlast.models.streaming import reply_events
from outlast.testing.provider.parsed import Wire, as_object, objects_in
from outlast.testing.steps import typed_item

_MANY_CHARS = 20_000
_ECHOED = (
    "instructions", "max_output_tokens", "metadata", "previous_response_id", "reasoning", "store",
    "temperature", "text", "top_p", "truncation", "background", "conversation", "service_tier",
)  # fmt: skip


@dataclass
class Reply:
    """What is answered, still independent of the API that was used."""

    model: str
    response_id: str
    items: list[Wire]
    usage: Wire | None
    """In the words of the Responses API; None leaves it out."""
    asked: Wire
    """The request's body, parts of which a response repeats."""
    finish: str = "stop"
    """`stop`, or why the reply is incomplete: `length` or `content_filter`."""


def wire_item(item: Any) -> Wire:
    """An output item as plain data."""
    return item if isinstance(item, dict) else item.model_dump(mode="json", exclude_unset=True)  # pyright: ignore[reportUnknownVariableType]


def wire_usage(usage: Usage) -> Wire:
    """A usage in the words of the Responses API."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.input_tokens_details.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.output_tokens_details.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


# --- /v1/responses -----------------------------------------------------------------------


def response(reply: Reply, status: str = "completed") -> Wire:
    """The reply as a Response, or what there is of it in that status."""
    is_over = status in ("completed", "incomplete")
    if is_over and reply.finish != "stop":
        status = "incomplete"
    reason = {"length": "max_output_tokens"}.get(reply.finish, reply.finish)
    return {
        "id": reply.response_id,
        "object": "response",
        "created_at": 1,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "model": reply.model,
        "output": reply.items if is_over else [],
        "parallel_tool_calls": reply.asked.get("parallel_tool_calls", True),
        "tool_choice": reply.asked.get("tool_choice") or "auto",
        "tools": reply.asked.get("tools") or [],
        **{name: reply.asked[name] for name in _ECHOED if name in reply.asked},
        "usage": reply.usage if is_over else None,
    }


def response_events(reply: Reply) -> list[Wire]:
    """The reply as the events of a stream, numbered from zero."""
    events: list[Wire] = [
        {"type": f"response.{kind}", "response": response(reply, "in_progress")}
        for kind in ("created", "in_progress")
    ]
    for index, item in enumerate(reply.items):
        events += [{**event, "output_index": index} for event in _item_events(item)]
    final = response(reply)
    events.append({"type": f"response.{final['status']}", "response": final})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _item_events(item: Wire) -> list[Wire]:
    from pydantic import ValidationError

    try:
        whole = ModelResponse(output=[typed_item(item)], usage=Usage(), response_id="")
        events = list(reply_events(whole, model="", split=pieces))[2:-1]
    except (ValidationError, ModelBehaviorError):  # It is of a kind that has no parts to stream.
        return [
            {"type": "response.output_item.added", "item": {**item, "status": "in_progress"}},
            {"type": "response.output_item.done", "item": item},
        ]
    # The item at the end is as the script has it, also where the type knows no such field.
    parts = [event.model_dump(mode="json", exclude_unset=True) for event in events[:-1]]
    return [*parts, {**events[-1].model_dump(mode="json", exclude_unset=True), "item": item}]


def pieces(text: str) -> list[str]:
    """A text as the tokens that a stream brings it in; a long one in a thousand pieces."""
    size = len(text) // 1_000 + 1
    if len(text) > _MANY_CHARS:
        return [text[start : start + size] for start in range(0, len(text), size)]
    return re.findall(r"\s*\S{1,24}|\s+$", text) or [text]


# --- /v1/chat/completions ----------------------------------------------------------------


def completion(reply: Reply) -> Wire:
    """The reply as a chat completion."""
    message: Wire = {"role": "assistant", "content": None, "refusal": None}
    calls: list[Wire] = []
    for item in reply.items:
        for kind, text, call in _chat_parts(item):
            if call is not None:
                calls.append(call)
            else:
                message[kind] = (message.get(kind) or "") + text
    if calls:
        message["tool_calls"] = calls
    made = _framed(reply, "chat.completion", _finish(reply), message=message)
    return made if reply.usage is None else {**made, "usage": chat_usage(reply.usage)}


def chunks(reply: Reply) -> list[Wire]:
    """The reply as the chunks of a stream. The usage comes last, where the request asks for it."""
    made = [_chunk(reply, {"role": "assistant", "content": ""})]
    number = 0
    for item in reply.items:
        for kind, text, call in _chat_parts(item):
            if call is None:
                made += [_chunk(reply, {kind: piece}) for piece in pieces(text)]
            else:
                made += _call_chunks(reply, call, number)
                number += 1
    made.append(_chunk(reply, {}, _finish(reply)))
    wants_usage = as_object(reply.asked.get("stream_options")).get("include_usage")
    if wants_usage and reply.usage is not None:
        made.append({**_chunk(reply, {}), "choices": [], "usage": chat_usage(reply.usage)})
    return made


def chat_usage(usage: Wire) -> Wire:
    """A usage of the Responses API in the words of Chat Completions."""
    if "prompt_tokens" in usage:
        return usage
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "total_tokens": usage.get("total_tokens"),
        "prompt_tokens_details": usage.get("input_tokens_details"),
        "completion_tokens_details": usage.get("output_tokens_details"),
    }


def _finish(reply: Reply) -> str:
    calls = any(item.get("type") == "function_call" for item in reply.items)
    return "tool_calls" if calls and reply.finish == "stop" else reply.finish


def _chat_parts(item: Wire) -> Iterator[tuple[str, str, Wire | None]]:
    """What an item says in chat: fields with texts, and calls. Other items have no words there."""
    match item.get("type"):
        case "message":
            for part in item["content"]:
                if part["type"] == "refusal":
                    yield "refusal", part["refusal"], None
                else:
                    yield "content", part["text"], None
        case "reasoning":
            for part in [*objects_in(item.get("summary")), *objects_in(item.get("content"))]:
                yield "reasoning_content", part["text"], None
        case "function_call":
            told = {"name": item["name"], "arguments": item["arguments"]}
            yield "", "", {"id": item["call_id"], "type": "function", "function": told}
        case _:
            return


def _call_chunks(reply: Reply, call: Wire, number: int) -> list[Wire]:
    told = call["function"]
    opened = {**call, "index": number, "function": {"name": told["name"], "arguments": ""}}
    parts = [
        {"index": number, "function": {"arguments": piece}} for piece in pieces(told["arguments"])
    ]
    return [_chunk(reply, {"tool_calls": [part]}) for part in (opened, *parts)]


def _chunk(reply: Reply, delta: Wire, finish: str | None = None) -> Wire:
    return _framed(reply, "chat.completion.chunk", finish, delta=delta)


def _framed(reply: Reply, kind: str, finish: str | None, **said: Wire) -> Wire:
    choice = {"index": 0, **said, "finish_reason": finish, "logprobs": None}
    frame = {"id": reply.response_id, "object": kind, "created": 1, "model": reply.model}
    return {**frame, "choices": [choice]}
