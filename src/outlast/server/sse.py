"""A run's log as a stream of server-sent events that a client can go on with where it was cut off.

Facts are the truth: one for each event of the log, its position as its id. Deltas are a courtesy: text
that a model is writing in this process, as an id the position, the reply and how many characters of it
are sent. A client replaces the deltas of an effect by the fact that ends it.

Nothing is kept for a reader: facts are read from the log as fast as it takes them, and of a text in
flight it gets whatever is behind its place. So a slow reader holds nothing up and costs nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from outlast.core.evolve import evolve
from outlast.core.state import RunState
from outlast.core.stored import Stored
from outlast.server.service import AT_REST, Service
from outlast.server.shown import fact, kind_of
from outlast.views.status import ENDED, status

BEAT_S = 15.0
"""Between two comments, so that nothing in between takes the stream for dead."""
_ID = re.compile(r"(-?\d{1,15})(?:~([a-z][\w.-]{0,200}?)\.(\d{1,9})\.(\d{1,12}))?\Z")
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA = "text/event-stream"


@dataclass(slots=True)
class Place:
    """How far a reader has come."""

    after: int = -1
    effect: str = ""
    attempt: int = 0
    offset: int = 0

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that an id means.

        Raises:
            ValueError: It is none of ours.
        """
        found = _ID.match(text)
        if found is None:
            raise ValueError(text)
        after, effect, attempt, offset = found.groups()
        return cls(int(after), effect or "", int(attempt or 0), int(offset or 0))

    def __str__(self) -> str:
        """The id of what was sent last."""
        if not self.effect:
            return str(self.after)
        return f"{self.after}~{self.effect}.{self.attempt}.{self.offset}"


def frame(data: Any, *, event: str = "", id: str = "") -> bytes:  # noqa: A002  # the field's name
    """One event as bytes."""
    head = f"id: {id}\n" if id else ""
    name = f"event: {event}\n" if event else ""
    return f"{head}{name}data: ".encode() + msgspec.json.encode(data) + b"\n\n"


@dataclass(slots=True, kw_only=True)
class Wishes:
    """What a reader wants of a run."""

    has_deltas: bool = False
    until_pause: bool = False
    """Whether the stream ends too when the run waits for somebody."""


class RunStream:
    """The stream of one run for one reader."""

    def __init__(self, service: Service, run_id: str, place: Place, wishes: Wishes) -> None:
        self._service = service
        self._run_id = run_id
        self._place = place
        self._wishes = wishes
        self._log: Any = service.journal.watch(run_id)
        self._state = RunState()
        self._bell = asyncio.Event()
        self._bell.set()  # Text may be in flight already.
        self._is_done = False

    async def frames(self) -> AsyncIterator[bytes]:
        """What is sent, until the run has ended or the server leaves."""
        live = self._service.worker.live
        live.listen(self._run_id, self._bell)
        following = asyncio.ensure_future(anext(self._log))
        leaving = asyncio.create_task(self._service.leaving.wait())
        yield b"retry: 1000\n\n"
        try:
            while not self._is_done:
                await self._news(following, leaving)
                is_fact = following.done()
                for sent in self._facts(following.result()) if is_fact else self._others(leaving):
                    yield sent
                if is_fact:
                    following = asyncio.ensure_future(anext(self._log))
                    await asyncio.sleep(0)
                if self._is_over and not following.done():
                    self._is_done = True
                    yield frame({"status": status(self._state)}, event="end")
        finally:
            live.ignore(self._run_id, self._bell)
            leaving.cancel()
            following.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await following
            await self._log.aclose()

    async def _news(self, following: asyncio.Future[Stored], leaving: asyncio.Task[Any]) -> None:
        """Wait for an event, for text, for the end of the server, or for so long that a sign is due."""
        ringing = asyncio.create_task(self._bell.wait())
        first = asyncio.FIRST_COMPLETED
        try:
            await asyncio.wait({following, leaving, ringing}, timeout=BEAT_S, return_when=first)
        finally:
            ringing.cancel()

    def _others(self, leaving: asyncio.Task[Any]) -> list[bytes]:
        """What is to be said where no event has come."""
        if leaving.done():
            self._is_done = True
            return [frame({}, event="shutdown")]
        if not self._bell.is_set():
            return [b": still here\n\n"]
        self._bell.clear()
        return self._deltas()

    @property
    def _is_over(self) -> bool:
        word = status(self._state)
        return word in (AT_REST if self._wishes.until_pause else ENDED)

    def _facts(self, stored: Stored) -> list[bytes]:
        """The frame of an event, if it is behind the reader's place."""
        self._state = evolve(self._state, stored.event)
        if stored.seq <= self._place.after:
            return []
        if self._place.effect == str(getattr(stored.event, "id", "")):
            self._place = Place()
        self._place.after = stored.seq
        return [frame(fact(stored), event=kind_of(stored), id=str(stored.seq))]

    def _deltas(self) -> list[bytes]:
        """The frames of the text behind the reader's place."""
        place, draft = self._place, self._service.worker.live.draft(self._run_id)
        if not self._wishes.has_deltas or draft is None:
            return []
        sent: list[bytes] = []
        is_other = (place.effect, place.attempt) != (draft.effect, draft.attempt)
        if is_other and place.effect == draft.effect:
            sent.append(
                frame({"effect": draft.effect, "attempt": draft.attempt}, event="delta.reset")
            )
        if is_other:
            place.effect, place.attempt, place.offset = draft.effect, draft.attempt, 0
        if len(draft.text) > place.offset:
            about = {"effect": draft.effect, "attempt": draft.attempt, "from": place.offset}
            text = draft.text[place.offset :]
            place.offset = len(draft.text)
            sent.append(frame({**about, "text": text}, event="delta", id=str(place)))
        return sent
