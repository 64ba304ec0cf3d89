"""A response object: what a run has come to, in the words of the Responses API."""

from __future__ import annotations

from typing import Any

from outlast.core.items import text_of
from outlast.server.openai.said import Message, Said, arguments_of, usage_of
from outlast.server.shown import Json
from outlast.views.items import conversation
from outlast.views.status import failure_of, status
from outlast.views.waiting import WaitingCall

_STATUSES = {
    "completed": "completed",
    "waiting": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


def run_of(response_id: str) -> str:
    """The run that a response is of."""
    return response_id.partition("~")[0]


def id_of(run_id: str, said: Said) -> str:
    """The id of the response that a run has come to: every decision of a person makes another one."""
    return f"{run_id}~{said.decisions + 1}" if said.decisions else run_id


def response_of(run_id: str, said: Said, *, with_steps: bool = False, output: Any = None) -> Json:
    """A run as a response.

    Args:
        run_id: The run.
        said: What was said in it.
        with_steps: Whether the output has all that the run has added to the conversation.
        output: The items, where they are known.
    """
    state, started = said.state, said.state.started
    assert started is not None
    failure = failure_of(state)
    pairs = dict(tag.split("=", 1) for tag in started.metadata.tags if "=" in tag)
    session_id = started.metadata.session_id
    error = (
        {"code": "server_error", "message": f"{failure.kind}: {failure.message}"}
        if failure
        else None
    )
    word = _STATUSES.get(status(state), "in_progress")
    return {
        "id": id_of(run_id, said),
        "object": "response",
        "created_at": int(said.began_at),
        "status": word,
        "background": False,
        "error": error,
        "incomplete_details": None,
        "instructions": None,
        "metadata": pairs,
        "model": started.agent,
        "output": _output(said, with_steps=with_steps) if output is None else output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "conversation": {"id": session_id} if session_id else None,
        "temperature": None,
        "top_p": None,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage_of(state) if word != "in_progress" else None,
    }


def _output(said: Said, *, with_steps: bool) -> list[Json]:
    requests = [approval_request(call) for call in said.waiting]
    if with_steps:
        return [*(dict(entry.item) for entry in conversation(said.state)), *requests]
    final = said.messages[-1:] if status(said.state) == "completed" else []
    return [*map(message_item, final), *requests]


def message_item(message: Message) -> Json:
    """A message of an agent as an item of a response."""
    part: Json = {
        "type": "output_text",
        "text": text_of(message.item),
        "annotations": [],
        "logprobs": [],
    }
    return {**head_of(message.effect), "status": "completed", "content": [part]}


def head_of(effect: str) -> Json:
    """How a message begins."""
    return {
        "id": f"msg_{effect}",
        "type": "message",
        "role": "assistant",
        "status": "in_progress",
        "content": [],
    }


def approval_request(call: WaitingCall) -> Json:
    """A call that waits for a person as an item of a response."""
    return {
        "id": f"apr_{call.key}",
        "type": "mcp_approval_request",
        "server_label": "outlast",
        "name": call.tool,
        "arguments": arguments_of(call),
    }
