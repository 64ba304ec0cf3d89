"""What a turn of Codex reports while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from outlast.extras.codex.items import ThreadItem, coerce_thread_item, mapping
from outlast.extras.codex.records import Record


@dataclass(frozen=True)
class Usage(Record):
    """What a turn cost, in tokens."""

    input_tokens: int
    cached_input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class ThreadError(Record):
    """Why a turn failed."""

    message: str


@dataclass(frozen=True)
class ThreadStartedEvent(Record):
    """A new thread has an id, by which it can be gone on with."""

    thread_id: str
    type: Literal["thread.started"] = field(default="thread.started", init=False)


@dataclass(frozen=True)
class TurnStartedEvent(Record):
    """A turn has begun."""

    type: Literal["turn.started"] = field(default="turn.started", init=False)


@dataclass(frozen=True)
class TurnCompletedEvent(Record):
    """A turn has ended well."""

    usage: Usage | None = None
    type: Literal["turn.completed"] = field(default="turn.completed", init=False)


@dataclass(frozen=True)
class TurnFailedEvent(Record):
    """A turn has failed."""

    error: ThreadError
    type: Literal["turn.failed"] = field(default="turn.failed", init=False)


@dataclass(frozen=True)
class ItemStartedEvent(Record):
    """An item has begun."""

    item: ThreadItem
    type: Literal["item.started"] = field(default="item.started", init=False)


@dataclass(frozen=True)
class ItemUpdatedEvent(Record):
    """An item has changed."""

    item: ThreadItem
    type: Literal["item.updated"] = field(default="item.updated", init=False)


@dataclass(frozen=True)
class ItemCompletedEvent(Record):
    """An item is as it will stay."""

    item: ThreadItem
    type: Literal["item.completed"] = field(default="item.completed", init=False)


@dataclass(frozen=True)
class ThreadErrorEvent(Record):
    """The stream has failed, and the turn with it."""

    message: str
    type: Literal["error"] = field(default="error", init=False)


@dataclass(frozen=True)
class UnknownEvent(Record):
    """An event of a kind that this version does not know."""

    type: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])


ThreadEvent: TypeAlias = (
    ThreadStartedEvent
    | TurnStartedEvent
    | TurnCompletedEvent
    | TurnFailedEvent
    | ItemStartedEvent
    | ItemUpdatedEvent
    | ItemCompletedEvent
    | ThreadErrorEvent
    | UnknownEvent
)

_Fields: TypeAlias = Mapping[str, Any]


def coerce_thread_event(raw: ThreadEvent | Mapping[str, Any]) -> ThreadEvent:
    """The record of an event's JSON.

    Raises:
        TypeError: It is no JSON object.
        KeyError: A field that its kind always has is missing.
    """
    if isinstance(raw, ThreadEvent):
        return raw
    fields = mapping(raw, "Thread event payload")
    kind = fields.get("type") or "unknown"
    make = _KINDS.get(kind) if isinstance(kind, str) else None
    return make(fields) if make else UnknownEvent(kind, fields)


def coerce_usage(raw: Usage | Mapping[str, Any]) -> Usage:
    """The record of a usage's JSON.

    Raises:
        TypeError: It is no JSON object.
        KeyError: A count is missing.
    """
    if isinstance(raw, Usage):
        return raw
    fields = mapping(raw, "Usage")
    return Usage(fields["input_tokens"], fields["cached_input_tokens"], fields["output_tokens"])


def _completed(fields: _Fields) -> ThreadEvent:
    usage = fields.get("usage")
    return TurnCompletedEvent(None if usage is None else coerce_usage(usage))


def _failed(fields: _Fields) -> ThreadEvent:
    raw: Any = fields.get("error", {})
    if isinstance(raw, ThreadError):
        return TurnFailedEvent(raw)
    return TurnFailedEvent(ThreadError(mapping(raw, "ThreadError").get("message", "")))


def _item(fields: _Fields) -> ThreadItem:
    raw = fields.get("item")
    return coerce_thread_item({"type": "unknown"} if raw is None else raw)


_KINDS: dict[str, Callable[[_Fields], ThreadEvent]] = {
    "thread.started": lambda f: ThreadStartedEvent(f["thread_id"]),
    "turn.started": lambda _: TurnStartedEvent(),
    "turn.completed": _completed,
    "turn.failed": _failed,
    "item.started": lambda f: ItemStartedEvent(_item(f)),
    "item.updated": lambda f: ItemUpdatedEvent(_item(f)),
    "item.completed": lambda f: ItemCompletedEvent(_item(f)),
    "error": lambda f: ThreadErrorEvent(f.get("message", "")),
}
