"""One attempt of a model call: the request, its reply or its stream, within its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from outlast.calls.deadlines import Deadlines
from outlast.core.effects import DRAIN_S
from outlast.core.errors import ModelBehaviorError, ModelTimeoutError
from outlast.core.events import Item
from outlast.core.surrogates import without_surrogates
from outlast.core.usage import Usage
from outlast.definitions.limits import DEFAULT_LIMITS, ModelEndpoint, ModelLimits
from outlast.definitions.model import Model
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.definitions.stream_events import RawResponsesStreamEvent, StreamEvent
from outlast.models.call_options import Acceptance, Asking, asking, no_call
from outlast.models.streaming import reply_of

_T = TypeVar("_T")
_OPENING = {"response.created", "response.in_progress"}
_BROKEN = {"response.failed", "response.incomplete", "error", "response.error"}
_ABOUT = _OPENING | _BROKEN
"""Events that say nothing of the answer itself."""


class Attempt(msgspec.Struct, kw_only=True):
    """A request, and how far its answer has come."""

    model: Model
    settings: ModelSettings
    args: tuple[Any, ...]
    """What the model takes by position."""
    more: dict[str, Any]
    """What it takes by name."""
    show: Callable[[StreamEvent], None] | None
    """Where the events of a stream go; None when nobody watches."""
    limits: ModelLimits | None = None
    """The run's, else the model's own, if there are any."""
    spent_s: float = 0.0
    """How long the call had taken before this attempt."""
    once: bool = False
    """Whether the provider's client must not ask again by itself."""
    acceptance: Acceptance | None = None
    """What is known about the call already."""
    has_programs: bool = False
    """Whether the model can have called tools while it answered, by a program of its own."""
    place: str = ""
    """The call's place in its run."""
    earlier_call: Callable[[str], str | None] = no_call
    """Says what the run's call of an id has asked for; None if there was none."""
    last_reply: Callable[[], Sequence[Item]] = tuple
    """Gives the items of the run's last reply."""
    has_output: bool = False
    """Whether somebody has been shown a part of the answer itself."""
    is_parked: bool = False
    """Whether the next attempt waits for longer than calls usually do."""

    taken_s: float = 0.0
    """How long the call has taken, this attempt included."""

    endpoint: ModelEndpoint | None = None
    """What the engine does in the place of the model's client; None if nothing."""
    bounds: ModelLimits = DEFAULT_LIMITS
    """The limits that hold."""

    def __post_init__(self) -> None:
        model: Any = self.model  # It may be any object that has the two methods which ask it.
        self.endpoint = model.endpoint() if isinstance(model, Model) else None
        if self.limits is None and self.endpoint is not None:
            self.limits = self.endpoint.limits
        self.bounds = self.limits or DEFAULT_LIMITS

    @property
    def is_streamed(self) -> bool:
        """Whether the answer comes as a stream."""
        return self.show is not None

    async def response(self) -> ModelResponse | None:
        """The model's reply; None if its stream ended without one.

        Raises:
            ModelTimeoutError: It took longer than the settings or the limits allow.
        """
        endpoint = self.endpoint
        deadlines = Deadlines(
            self.bounds,
            is_streamed=self.is_streamed,
            knows_bytes=endpoint is not None and endpoint.reports_data,
            spent_s=self.spent_s,
        )
        how = Asking(
            limits=self.limits,
            once=self.once,
            discreet=True,
            opened=deadlines.opened,
            data=deadlines.data,
            detached=deadlines.detached,
            acceptance=self.acceptance,
            place=self.place,
            earlier_call=self.earlier_call,
            last_reply=self.last_reply,
        )
        try:
            with deadlines, asking(how):
                return await self._asked(deadlines)
        finally:
            self.taken_s = self.spent_s + deadlines.elapsed_s

    async def _asked(self, deadlines: Deadlines) -> ModelResponse | None:
        try:
            return await self._once(deadlines)
        except UnicodeEncodeError:
            instructions, given, *rest = self.args
            sound = [without_surrogates(each) for each in (instructions, given)]
            if self.has_output or (sound[0] is instructions and sound[1] is given):
                raise
            self.args = (*sound, *rest)
        return await self._once(deadlines)

    async def _once(self, deadlines: Deadlines) -> ModelResponse | None:
        if self.show:
            asked = self._streamed(deadlines)
        else:
            asked = self.model.get_response(*self.args, **self.more)
        if self.settings.timeout is None:
            return await asked
        return await _within(self.settings.timeout, asked)

    async def _streamed(self, deadlines: Deadlines) -> ModelResponse | None:
        assert self.show
        final: Any = None
        broken: str | None = None
        done: list[Any] = []
        async with _closed(self.model.stream_response(*self.args, **self.more)) as stream:
            async for event in stream:
                if broken:
                    break
                kind = getattr(event, "type", None)
                deadlines.event(kind)
                self.has_output = self.has_output or kind not in _ABOUT
                self.show(RawResponsesStreamEvent(data=event))
                if kind == "response.output_item.done":
                    done.append(event.item)
                elif kind == "response.completed":
                    final = event.response
                elif kind in _BROKEN:
                    broken = kind  # The model itself knows more about it, and mostly raises that.
            if broken:
                raise ModelBehaviorError(
                    f"The model's stream ended with {broken!r} and no final response."
                )
        if final is None:
            is_enough = self.bounds.lenient_eof and done
            return ModelResponse(done, Usage(requests=1), None) if is_enough else None
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
