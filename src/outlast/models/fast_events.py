"""What an endpoint sends in a stream, as the `openai` library's objects, without trying every type.

The library tries the sixty types of an event one after the other, and builds a chunk field by
field; that costs more than everything else that happens to it. Here an entry is checked against the
one type that it says it has. Where it does not fit, the library makes of it what it always does.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import Any, TypeVar, get_args

_S = TypeVar("_S")


def quick(stream: _S) -> _S:
    """``stream``, which makes its entries quickly from here on if it is one of the library's."""
    from openai import AsyncStream

    opened: Any = stream
    if isinstance(stream, AsyncStream):
        builder = _builders().get(opened._cast_to)  # noqa: SLF001  # it takes a builder, but tells nobody how
        if builder is not None and not opened._client._strict_response_validation:  # noqa: SLF001
            opened._cast_to = builder  # noqa: SLF001
        noting_end(opened)
    return opened


def noting_end(stream: object) -> None:
    """Let one of the library's streams remember whether its endpoint has marked its end."""
    events = getattr(stream, "_iter_events", None)
    if events is None:
        return

    async def noted() -> AsyncIterator[Any]:
        async for event in events():
            if event.data.startswith(_MARK):
                stream.__dict__[_SAW_MARK] = True
            yield event

    stream.__dict__["_iter_events"] = noted  # The library keeps the mark to itself.


def saw_done(stream: object) -> bool:
    """Whether the endpoint has marked the end of ``stream``, so that nothing was cut off."""
    return bool(getattr(stream, _SAW_MARK, False))


_MARK = "[DONE]"
_SAW_MARK = "_outlast_saw_done"


def fitting(kind: Any, data: Any) -> Any:
    """``data`` as an object of the library's type ``kind``, whether or not it fits."""
    try:
        return kind.model_validate(data)
    except ValueError:  # pydantic's own error is one
        return kind.construct(**data) if isinstance(data, dict) else data


@functools.cache
def event_types() -> dict[str, Any]:
    """The library's types of the events of the Responses API, by the `type` that they have."""
    from openai.types.responses import ResponseStreamEvent

    union, *_ = get_args(ResponseStreamEvent)
    kinds = ((kind.model_fields["type"].annotation, kind) for kind in get_args(union))
    return {name: kind for names, kind in kinds for name in get_args(names)}


@functools.cache
def _builders() -> dict[Any, type]:
    """What the library asks for an object, instead of a type that it would construct."""
    from openai._models import construct_type
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent

    class Event:
        @classmethod
        def build(cls, *, response: object, data: object) -> Any:
            del response
            given: Any = data
            told: Any = given.get("type") if isinstance(data, dict) else None
            kind = event_types().get(told) if isinstance(told, str) else None
            if kind is None:
                return construct_type(value=given, type_=ResponseStreamEvent)
            return fitting(kind, given)

    class Chunk:
        @classmethod
        def build(cls, *, response: object, data: object) -> Any:
            del response
            return fitting(ChatCompletionChunk, data)

    return {ResponseStreamEvent: Event, ChatCompletionChunk: Chunk}
