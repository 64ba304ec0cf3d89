"""Whether what an endpoint sent has the shape that the API promises.

The `openai` library takes nearly anything for an answer and leaves it to its caller to stumble.
Only what is relied upon is looked at; what is unknown passes.
"""

from __future__ import annotations

from typing import Any

from outlast.models.errors import malformed, response_error

_FINAL = ("response.completed", "response.failed", "response.incomplete")
_FAILED = ("failed", "cancelled")
_TEXTS = {"output_text": "text", "refusal": "refusal"}


def checked_response(response: Any) -> Any:
    """``response`` of the Responses API, which has a list of output items.

    Raises:
        ModelReplyMalformed: It has not, or an item in it lacks what makes it one.
    """
    output = getattr(response, "output", None)
    if not isinstance(output, list):
        raise malformed(f"it has no list of output items, but {type(output).__name__}")
    for index, item in enumerate(output):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        _check_item(item, f"output item {index}")
    return response


def checked_event(event: Any) -> Any:
    """``event`` of a stream of the Responses API. One of an unknown type passes.

    Raises:
        ModelReplyMalformed: It is none, or lacks what its type promises.
    """
    kind: Any = getattr(event, "type", None)
    if not isinstance(kind, str):
        raise malformed("an event of its stream has no type")
    if kind in _FINAL:
        _require(kind, "response", event.response, object)
        if kind == _FINAL[0] and getattr(event.response, "status", None) in _FAILED:
            raise response_error(event.response, kind)
        if kind == _FINAL[0]:
            checked_response(event.response)
    elif kind == "response.output_item.done":
        _check_item(event.item, "a finished output item")
    elif kind.endswith((".text.delta", "_text.delta", "arguments.delta", "refusal.delta")):
        _require(kind, "delta", event.delta, str)
    return event


def _check_item(item: Any, where: str) -> None:
    kind: Any = _field(item, "type")
    _require(where, "type", kind, str)
    if kind == "function_call":
        for name in ("name", "arguments"):
            _require(where, name, _field(item, name), str)
        if _field(item, "call_id") is not None:  # Some endpoints send none, and get one here.
            _require(where, "call_id", _field(item, "call_id"), str)
    elif kind == "message":
        content: Any = _field(item, "content")
        _require(where, "content", content, list)
        for part in content:
            _require(f"a part of {where}", "type", _field(part, "type"), str)
            text = _TEXTS.get(_field(part, "type"))
            if text is not None:
                _require(f"a part of {where}", text, _field(part, text), str)


def _field(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _require(where: str, name: str, value: Any, kind: type) -> None:
    if value is None or not isinstance(value, kind):
        raise malformed(f"in {where}, the field {name!r} is of type {type(value).__name__}")
