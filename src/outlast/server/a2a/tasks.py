"""Runs as tasks, and messages as input: views of the log in the words of A2A."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from a2a.types.a2a_pb2 import Artifact, Message, Part, Role, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from outlast.core.evolve import fold
from outlast.core.items import Item
from outlast.core.stored import Stored
from outlast.server.shown import Json, run_state
from outlast.views.items import conversation

_STATES = {
    "queued": TaskState.TASK_STATE_SUBMITTED,
    "waiting": TaskState.TASK_STATE_INPUT_REQUIRED,
    "completed": TaskState.TASK_STATE_COMPLETED,
    "failed": TaskState.TASK_STATE_FAILED,
    "cancelled": TaskState.TASK_STATE_CANCELED,
}
TERMINAL = frozenset(
    {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_FAILED,
        TaskState.TASK_STATE_CANCELED,
        TaskState.TASK_STATE_REJECTED,
    }
)
"""States that a task does not leave."""
_REFUSED = "InputGuardrailTripwireTriggered"


def task_of(run_id: str, log: Sequence[Stored], *, is_held: bool, newest: int | None) -> Task:
    """A run as a task.

    Args:
        run_id: The run.
        log: All of it.
        is_held: Whether a process performs it.
        newest: At most so many messages of its history; None for all.
    """
    shown = run_state(run_id, log, is_held=is_held)
    context_id: str = shown["session_id"] or run_id
    history = _history(run_id, context_id, log)
    return Task(
        id=run_id,
        context_id=context_id,
        status=_status(shown, context_id),
        artifacts=_artifacts(shown),
        history=history if newest is None else history[len(history) - min(newest, len(history)) :],
    )


def _status(shown: Json, context_id: str) -> TaskStatus:
    at = Timestamp()
    at.FromJsonString(shown["updated_at"])
    state = _STATES.get(shown["status"], TaskState.TASK_STATE_WORKING)
    error = shown["error"]
    if error and error["kind"] == _REFUSED:
        state = TaskState.TASK_STATE_REJECTED
    parts: list[Part] = []
    if state == TaskState.TASK_STATE_INPUT_REQUIRED:
        calls = shown["approvals"]
        wanted = ", ".join(f"{call['tool']} ({call['key']})" for call in calls)
        parts = [Part(text=f"A person has to decide about {wanted}."), _data({"approvals": calls})]
    elif error:
        parts = [Part(text=error["message"])]
    if not parts:
        return TaskStatus(state=state, timestamp=at)
    said = Message(
        message_id=f"{shown['run_id']}.status.{shown['last_seq']}",
        role=Role.ROLE_AGENT,
        parts=parts,
        task_id=shown["run_id"],
        context_id=context_id,
    )
    return TaskStatus(state=state, timestamp=at, message=said)


def _artifacts(shown: Json) -> list[Artifact]:
    if shown["status"] != "completed" or shown["output"] is None:
        return []
    output = shown["output"]
    part = Part(text=output) if isinstance(output, str) else _data(output)
    return [Artifact(artifact_id="output", name="output", parts=[part])]


def _history(run_id: str, context_id: str, log: Sequence[Stored]) -> list[Message]:
    state = fold([each.event for each in log])
    asked: Iterable[Item] = state.started.input if state.started else ()
    items = [*asked, *(entry.item for entry in conversation(state))]
    return [
        Message(
            message_id=f"{run_id}.{place}",
            role=Role.ROLE_AGENT if item.get("role") == "assistant" else Role.ROLE_USER,
            parts=[Part(text=text)],
            task_id=run_id,
            context_id=context_id,
        )
        for place, item in enumerate(items)
        if item.get("role") in {"user", "assistant"} and (text := _text(item.get("content")))
    ]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content or ())


def _data(value: Any) -> Part:
    return Part(data=ParseDict(value, Value()), media_type="application/json")


def input_of(message: Message) -> list[Json]:
    """What a message says, as the input of a run; empty if nothing."""
    content = [_content(part) for part in message.parts]
    return [{"role": "user", "content": content}] if content else []


def _content(part: Part) -> Json:
    if part.HasField("data"):
        return {"type": "input_text", "text": json.dumps(MessageToDict(part.data))}
    if not (part.HasField("raw") or part.HasField("url")):
        return {"type": "input_text", "text": part.text}
    media = part.media_type or "application/octet-stream"
    url = part.url or f"data:{media};base64,{base64.b64encode(part.raw).decode()}"
    if media.startswith("image/"):
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    if part.url:
        return {"type": "input_file", "file_url": url}
    return {"type": "input_file", "file_data": url, "filename": part.filename or "file"}


def decisions_of(message: Message) -> dict[str, bool]:
    """What a message decides about calls, by their keys."""
    found: dict[str, bool] = {}
    for part in message.parts:
        if part.data.HasField("struct_value"):
            said: Any = MessageToDict(part.data).get("approvals", {})
            found.update({str(key): value is True for key, value in said.items()})
    return found
