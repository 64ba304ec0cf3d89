"""A run's log as a stream of server-sent events that a client can go on with where it was cut off.

Facts are the truth: one for each event of the log, its position as its id. Deltas are a courtesy: text
that a model is writing in this process, as an id the position, the reply and how many characters of it
are sent. A client replaces the deltas of an effect by the fact that ends it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from outlast.core.stored import Stored
from outlast.server.feed import Feed, Sign
from outlast.server.live import Draft
from outlast.server.service import Service
from outlast.server.shown import Json, fact, kind_of
from outlast.views.status import status

_ID = re.compile(r"(-?\d{1,15})(?:~([a-z][\w.-]{0,200}?)\.(\d{1,9})\.(\d{1,12}))?\Z")
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA = "text/event-stream"
Sent = tuple[str, str, Json]
"""The kind, the id and the data of an event."""
BEAT = b": still here\n\n"


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
        self._feed = Feed(service, run_id, until_rest=wishes.until_pause)
        self._place = place
        self._wishes = wishes

    async def frames(self) -> AsyncIterator[bytes]:
        """What is sent, until the run has ended or the server leaves."""
        yield b"retry: 1000\n\n"
        async for event in self.events():
            yield BEAT if event is None else frame(event[2], event=event[0], id=event[1])

    async def events(self) -> AsyncIterator[Sent | None]:
        """The kind, the id and the data of each event; None for a sign of life."""
        async for found in self._feed.read():
            for sent in self._events(found):
                yield sent

    def _events(self, found: Stored | Draft | Sign) -> Sequence[Sent | None]:
        match found:
            case Stored():
                return self._facts(found)
            case Draft():
                return self._deltas(found) if self._wishes.has_deltas else []
            case Sign.BEAT:
                return [None]
            case Sign.LEAVING:
                return [("shutdown", "", {})]
            case Sign.END:
                return [("end", "", {"status": status(self._feed.state)})]

    def _facts(self, stored: Stored) -> list[Sent]:
        """An event of the log, if it is behind the reader's place."""
        if stored.seq <= self._place.after:
            return []
        if self._place.effect == str(getattr(stored.event, "id", "")):
            self._place = Place()
        self._place.after = stored.seq
        return [(kind_of(stored), str(stored.seq), fact(stored))]

    def _deltas(self, draft: Draft) -> list[Sent]:
        """The text behind the reader's place."""
        place = self._place
        sent: list[Sent] = []
        about: Json = {"effect": draft.effect, "attempt": draft.attempt}
        is_other = (place.effect, place.attempt) != (draft.effect, draft.attempt)
        if is_other and place.effect == draft.effect:
            sent.append(("delta.reset", "", about))
        if is_other:
            place.effect, place.attempt, place.offset = draft.effect, draft.attempt, 0
        if len(draft.text) > place.offset:
            text, start = draft.text[place.offset :], place.offset
            place.offset = len(draft.text)
            sent.append(("delta", str(place), {**about, "from": start, "text": text}))
        return sent
