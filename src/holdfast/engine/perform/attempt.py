"""One attempt of a model call: the request, its reply or its stream, within its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from holdfast.core.errors import ModelBehaviorError, ModelTimeoutError
from holdfast.definitions.model import Model
from holdfast.definitions.run_items import ModelResponse
from holdfast.definitions.settings import ModelSettings
from holdfast.definitions.stream_events import RawResponsesStreamEvent, StreamEvent
from holdfast.engine.drive import DRAIN_S
from holdfast.models.streaming import reply_of

_T = TypeVar("_T")
_OPENING = {"response.created", "response.in_progress"}
_BROKEN = {"response.failed", "response.incomplete", "error", "response.error"}


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A request, and how far its answer has come."""

    model: Model
    settings: ModelSettings
    args: tuple[Any, ...]
    """What the model takes by position."""
    more: dict[str, Any]
    """What it takes by name."""
    show: Callable[[StreamEvent], None] | None
    """Where the events of a stream go; None when nobody watches."""
    has_output: bool = False
    """Whether somebody has been shown a part of the answer itself."""

    @property
    def is_streamed(self) -> bool:
        """Whether the answer comes as a stream."""
        return self.show is not None

    async def response(self) -> ModelResponse | None:
        """The model's reply; None if its stream ended without one.

        Raises:
            ModelTimeoutError: It took longer than the settings allow.
        """
        asked = self._streamed() if self.show else self.model.get_response(*self.args, **self.more)
        if self.settings.timeout is None:
            return await asked
        return await _within(self.settings.timeout, asked)

    async def _streamed(self) -> ModelResponse | None:
        assert self.show
        final: Any = None
        done: list[Any] = []
        async with _closed(self.model.stream_response(*self.args, **self.more)) as stream:
            async for event in stream:
                kind = getattr(event, "type", None)
                self.has_output = self.has_output or kind not in _OPENING
                self.show(RawResponsesStreamEvent(data=event))
                if kind == "response.output_item.done":
                    done.append(event.item)
                elif kind == "response.completed":
                    final = event.response
                elif kind in _BROKEN:
                    raise ModelBehaviorError(
                        f"The model's stream ended with {kind!r} and no final response."
                    )
        if final is None:
            return None
        response = reply_of(final, keep_raw_usage=self.settings.preserve_raw_usage is True)
        response.output = response.output or done
        return response


@asynccontextmanager
async def _closed(events: Any) -> AsyncGenerator[Any]:
    """A model's stream, closed in the task that reads it, whatever ends the reading."""
    try:
        yield events
    finally:
        if hasattr(events, "aclose"):
            await events.aclose()


async def _within(seconds: float, asked: Coroutine[Any, Any, _T]) -> _T:
    """The result of ``asked``, which is given up after ``seconds`` and has ended on return.

    It runs in a task of its own: a provider that does not stop when it is told to must not hold
    the run. `asyncio.timeout` would wait for it without end.
    """
    task = asyncio.get_running_loop().create_task(asked)
    task.add_done_callback(_look_at)
    late = ModelTimeoutError(seconds)
    why: str | None = None
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        why = str(late)  # So that the model's span can say why it was cancelled.
    finally:
        if not task.done():
            await _stop(task, why, grace=min(seconds, DRAIN_S))
    raise late


async def _stop(task: asyncio.Task[Any], why: str | None, *, grace: float) -> None:
    """Cancel, and cancel once more what cleans up for longer than ``grace``, in seconds."""
    for _ in range(2):
        task.cancel(why)
        await asyncio.wait({task}, timeout=grace)
        if task.done():
            return


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # Looked at, so that asyncio does not report it as lost.
