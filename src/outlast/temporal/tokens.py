"""What a model says while it speaks, on its way to whoever watches: beside the history, and for nobody to keep.

A run has one stream in the store, which workers append to and callers read on from an offset. A store that
has none (see `Streams`) shows whole items only. What a lost attempt has said stays in the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Protocol, runtime_checkable

import msgspec

from outlast.core.errors import JournalUnavailable
from outlast.definitions.logger import logger
from outlast.definitions.stream_events import RawResponsesStreamEvent, StreamEvent
from outlast.effects.projection import wire

Show = Callable[[StreamEvent], None]
_FLUSH_S = 0.05
_encode = msgspec.json.Encoder(enc_hook=str).encode


@runtime_checkable
class Streams(Protocol):
    """A store that has streams, too."""

    async def append(self, stream: str, data: bytes) -> None:
        """Add to a stream, which this makes if there is none. All or nothing is seen of ``data``."""
        ...

    async def tail(self, stream: str, offset: int) -> tuple[list[bytes], int]:
        """What was appended since ``offset``, and the offset to go on from; -1 only asks for that."""
        ...

    async def drop(self, stream: str) -> None:
        """Forget a stream."""
        ...


def stream_of(workflow_id: str) -> str:
    """The name of a run's stream."""
    return blake2b(workflow_id.encode(), digest_size=20).hexdigest()


class TokenWriter:
    """Writes what a model says into a run's stream, a few times a second."""

    def __init__(self, store: Streams, stream: str) -> None:
        self._store, self._stream = store, stream
        self._waiting: list[Any] = []
        self._task: asyncio.Task[None] | None = None

    def show(self, event: StreamEvent) -> None:
        """Write an event soon; only what a model says is one."""
        if isinstance(event, RawResponsesStreamEvent):
            self._waiting.append(wire(event.data))
            if self._task is None:
                self._task = asyncio.create_task(self._write_on())

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._write()

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            await asyncio.shield(self._write())

    async def _write(self) -> None:
        events, self._waiting = self._waiting, []
        if not events:
            return
        try:
            await self._store.append(self._stream, _encode(events))
        except JournalUnavailable as error:  # The run is more than what is seen of it.
            logger.warning("What a model says is not shown: %s", error)


class TokenReader:
    """Shows what comes into a run's stream."""

    def __init__(self, store: Any, stream: str, show: Show | None) -> None:
        self._store = store if show is not None and isinstance(store, Streams) else None
        self._stream, self._show = stream, show
        self._offset = 0

    @property
    def is_reading(self) -> bool:
        """Whether anybody watches a store that has streams."""
        return self._store is not None

    async def skip(self) -> None:
        """Show only what comes from now on."""
        if self._store is not None:
            _, self._offset = await self._store.tail(self._stream, -1)

    async def read(self) -> bool:
        """Show what is new, and say whether there was anything."""
        if self._store is None or self._show is None:
            return False
        parts, self._offset = await self._store.tail(self._stream, self._offset)
        for part in parts:
            for event in msgspec.json.decode(part):
                self._show(RawResponsesStreamEvent(data=typed_event(event)))
        return bool(parts)

    async def end(self) -> None:
        """Show what is left; nobody needs it any more."""
        if self._store is not None:
            await self.read()
            await self._store.drop(self._stream)


def typed_event(event: Any) -> Any:
    """An event of a stream as an `openai` object, as leniently as its own client makes them."""
    from openai._models import construct_type
    from openai.types.responses import ResponseStreamEvent

    return construct_type(value=event, type_=ResponseStreamEvent)
