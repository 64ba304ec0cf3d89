"""Performing effects beside a workflow: as local activities, by the live objects of the workflow.

A local activity is performed in the process that has the workflow, so agents, tools and contexts that
the workflow has made are at hand; its result is in the history, so a replay does not call it again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from outlast.core.effects import CallModel, Effect
from outlast.core.events import Event
from outlast.core.evolve import fold
from outlast.effects.hook_calls import tell_hooks
from outlast.effects.hooks import TELL, Calls, tell
from outlast.effects.live import failure_event
from outlast.effects.model import begin_call
from outlast.effects.outcome import HookCall, Outcome
from outlast.effects.performers import perform
from outlast.effects.place import Place
from outlast.effects.view import RunView
from outlast.engine.env import RunEnv
from outlast.temporal.objects import apply_changes, changes, snapshot

NAME = "outlast.user_code"
_ONCE = RetryPolicy(maximum_attempts=1)


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an effect came to beside its workflow."""

    events: Sequence[Event] = ()
    blobs: dict[str, bytes] = {}
    changes: dict[int, Any] = {}
    """What was changed in objects of the workflow."""
    error: str = ""
    """What went wrong with calls of hooks."""
    input: Any = None
    """What a model is to be asked: its instructions, and the items."""


_encode = msgspec.json.Encoder(enc_hook=str).encode
_answer = msgspec.json.Decoder(Answer).decode


@dataclass(kw_only=True)
class Work:
    """An effect that is to be performed beside its workflow."""

    env: RunEnv
    effect: Effect
    view: RunView
    roots: list[Any]
    only_begins: bool = False
    """Whether a model's call is only begun: hooks and filters are asked, the model is not."""
    hooks: Sequence[HookCall] = ()
    """What hooks are told, instead of performing the effect."""
    calls: Calls | None = None
    """Calls of hooks that are made in the middle of an effect that the workflow performs."""
    context: Context = field(default_factory=copy_context)
    events: list[Event] = field(default_factory=list[Event])

    async def emit(self, *events: Event) -> None:
        """Add to what the effect comes to."""
        self.events += events

    async def perform(self) -> Answer:
        """What it comes to."""
        TELL.set(None)  # The workflow's context came along.
        before = snapshot(self.roots)
        place = Place(self.view, self.effect.id, self.emit, self.env.log.journal)
        if self.calls is not None:
            return Answer(
                error=await self._called(self.calls, place),
                changes=changes(self.roots, before),
            )
        blobs: dict[str, bytes] = {}
        asked = None
        with place.entered():
            if self.hooks:
                await self._tell(self.hooks, self.view)
            elif self.only_begins:
                asked = await self._begun()
            else:
                outcome = await self._outcome()
                self.events += outcome.events
                blobs = self._unknown(outcome)
        if not self.hooks and not self.only_begins and outcome.hooks:  # pyright: ignore[reportPossiblyUnboundVariable]
            with place.afterwards().entered():
                later = fold(self.events, self.view.state)
                view = msgspec.structs.replace(self.view, state=later)
                await self._tell(outcome.hooks, view)  # pyright: ignore[reportPossiblyUnboundVariable]
        changed = changes(self.roots, before)
        return Answer(self.events, blobs, changed, input=asked)

    async def _called(self, calls: Calls, place: Place) -> str:
        """What went wrong with calls of hooks; nothing, mostly."""
        with place.entered():
            try:
                await tell(*calls)
            except Exception as error:  # noqa: BLE001  # user code may raise anything
                return f"A hook failed with {type(error).__name__}: {error}"
        return ""

    async def _outcome(self) -> Outcome:
        spans = self.env.spans
        within = spans.perform if spans is not None else None
        return await perform(self.effect, self.view, self.emit, within)

    async def _begun(self) -> Any:
        assert isinstance(self.effect, CallModel)
        try:
            given = await begin_call(self.effect, self.view, self.emit)
        except Exception as error:  # noqa: BLE001  # user code may raise anything
            self.events.append(failure_event(self.effect, self.view.live, error))
            return None
        return [given.instructions, given.input]

    async def _tell(self, calls: Sequence[HookCall], view: RunView) -> None:
        for call in calls:
            try:
                await tell_hooks(call, view)
            except Exception as error:  # noqa: BLE001  # user code may raise anything
                self.events.append(failure_event(self.effect, view.live, error))

    def _unknown(self, outcome: Outcome) -> dict[str, bytes]:
        known = self.env.log.journal.blobs
        return {name: data for name, data in outcome.blobs.items() if not _has(known, name)}


def _has(blobs: Any, name: str) -> bool:
    try:
        blobs.get(name)
    except Exception:  # noqa: BLE001  # whatever a journal says of what it has not
        return False
    return True


class _Works:
    """What workflows of this process want to have performed, and what is being performed for them.

    A worker may forget a workflow whose code is at work, and have it come back: the code goes on
    meanwhile, and is not called again.
    """

    def __init__(self) -> None:
        self.wanted: dict[str, Work] = {}
        self.tasks: OrderedDict[str, asyncio.Task[Answer]] = OrderedDict()
        self.unwanted: set[str] = set()
        """Those that the workflow itself has cancelled."""

    async def answer(self, key: str) -> Answer:
        """What comes of the work."""
        loop, task = asyncio.get_running_loop(), self.tasks.get(key)
        if task is None or task.get_loop() is not loop:
            work = self.wanted.get(key)
            if work is None:
                raise ApplicationError(
                    "The workflow that wants this is not here.", non_retryable=True
                )
            task = self.tasks[key] = loop.create_task(work.perform(), context=work.context)
            while len(self.tasks) > _TASKS_KEPT:
                self.tasks.popitem(last=False)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if key in self.unwanted:
                self.unwanted.discard(key)
                task.cancel()
            raise


_TASKS_KEPT = 5000
_works = _Works()
_numbers: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()


async def beside(work: Work, timeout: timedelta) -> Answer:
    """Have ``work`` performed beside the workflow that calls this, and its objects changed by it."""
    loop = asyncio.get_running_loop()
    number = _numbers[loop] = _numbers.get(loop, 0) + 1
    key = f"{workflow.info().run_id} {number} {work.effect.id}"
    _works.wanted[key] = work
    try:
        data = await workflow.execute_local_activity(
            NAME, args=[key], result_type=bytes, start_to_close_timeout=timeout, retry_policy=_ONCE
        )
        _works.tasks.pop(key, None)
    except asyncio.CancelledError:
        _works.unwanted.add(key)
        raise
    finally:
        _works.wanted.pop(key, None)
        for call in work.calls or ():
            call.close()  # Those of a replay were never made.
    answer = _answer(data)
    for name, blob in answer.blobs.items():
        work.env.log.journal.blobs.put(blob, name)
    work.view.live.errors.pop(work.effect.id, None)  # A replay has not seen it, either.
    apply_changes(work.roots, answer.changes)
    return answer


@activity.defn(name=NAME)
async def user_code(key: str) -> bytes:
    """Perform what a workflow of this process wants."""
    return _encode(await _works.answer(key))
