"""A response as it is written: events whose numbers are places in the log, so that any of them can be
gone on from, also from another server.

A number is the position of the event of the log that it comes from, times 2**20, and a place behind it.
Numbers grow, and have gaps. Text in flight counts from the event that began the reply.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from outlast.core.items import text_of
from outlast.core.stored import Stored
from outlast.server.feed import Feed, Sign
from outlast.server.live import Draft
from outlast.server.openai.response import approval_request, head_of, message_item, response_of
from outlast.server.openai.said import Message, Said, said_in
from outlast.server.service import Service
from outlast.server.shown import Json, kind_of
from outlast.server.sse import BEAT, frame
from outlast.views.news import news
from outlast.views.status import status

STRIDE = 2**20
_TEXT = 8
"""Behind the place where a reply begins, the first character of its text."""


class ResponseStream:
    """The events of one response for one reader.

    Args:
        service: Where the run is.
        run_id: The run.
        after: The number of the last event that the reader has.
    """

    def __init__(self, service: Service, run_id: str, *, after: int) -> None:
        self._feed = Feed(service, run_id, until_rest=True)
        self._run_id = run_id
        self._after = after
        self._log: list[Stored] = []
        self._output: list[Json] = []
        self._open = ""
        """The reply whose text is being sent."""
        self._begun = 0
        """The place of the event that began it."""
        self._sent = 0

    async def frames(self) -> AsyncIterator[bytes]:
        """What is sent, until the run ends or waits."""
        async for found in self._feed.read():
            for sent in self._frames(found):
                yield sent

    def _frames(self, found: Stored | Draft | Sign) -> list[bytes]:
        match found:
            case Stored():
                return self._fact(found)
            case Draft():
                return self._text(found.effect, found.text)
            case Sign.BEAT:
                return [BEAT]
            case Sign.LEAVING:
                return []
            case Sign.END:
                return self._end()

    def _fact(self, stored: Stored) -> list[bytes]:
        self._log.append(stored)
        number = stored.seq * STRIDE
        if stored.seq == 0:
            body = response_of(self._run_id, self._said(), output=[])
            return [
                *self._event(number, "response.created", response=body),
                *self._event(number + 1, "response.in_progress", response=body),
            ]
        if not self._open and kind_of(stored) == "effect.started":
            self._begun = number
        reply = news(stored.event, self._feed.state).reply
        text = "".join(map(text_of, reply.output)) if reply else ""
        if reply is None or not text:
            return []
        sent = self._text(reply.id, text)
        message = message_item(Message(reply.id, stored.seq, _as_item(text)))
        place = len(self._output)
        self._output.append(message)
        self._open = ""
        part = message["content"][0]
        where = {"item_id": message["id"], "output_index": place, "content_index": 0}
        return [
            *sent,
            *self._event(number, "response.output_text.done", **where, text=text, logprobs=[]),
            *self._event(number + 1, "response.content_part.done", **where, part=part),
            *self._event(number + 2, "response.output_item.done", output_index=place, item=message),
        ]

    def _text(self, effect: str, text: str) -> list[bytes]:
        """The text of a reply that is not sent yet."""
        if not text:
            return []
        sent: list[bytes] = []
        head, place = head_of(effect), len(self._output)
        where: Json = {"item_id": head["id"], "output_index": place, "content_index": 0}
        if self._open != effect:
            self._open, self._sent = effect, max(0, self._after - self._begun - _TEXT)
            part: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            sent += self._event(
                self._begun + 1, "response.output_item.added", output_index=place, item=head
            )
            sent += self._event(self._begun + 2, "response.content_part.added", **where, part=part)
        if len(text) > self._sent:
            delta, self._sent = text[self._sent :], len(text)
            number = self._begun + _TEXT + self._sent
            sent += self._event(
                number, "response.output_text.delta", **where, delta=delta, logprobs=[]
            )
        return sent

    def _end(self) -> list[bytes]:
        said = self._said()
        number = (said.last + 1) * STRIDE - 64
        sent: list[bytes] = []
        for call in said.waiting:
            place, item = len(self._output), approval_request(call)
            self._output.append(item)
            sent += self._event(number, "response.output_item.added", output_index=place, item=item)
            sent += self._event(
                number + 1, "response.output_item.done", output_index=place, item=item
            )
            number += 2
        body = response_of(self._run_id, said, output=self._output)
        word = status(said.state)
        kind = {"failed": "response.failed", "cancelled": "response.incomplete"}.get(
            word, "response.completed"
        )
        return [*sent, *self._event((said.last + 1) * STRIDE - 1, kind, response=body)]

    def _said(self) -> Said:
        return said_in(self._log)

    def _event(self, number: int, kind: str, **more: Any) -> list[bytes]:
        if number <= self._after:
            return []
        return [frame({"type": kind, "sequence_number": number, **more}, event=kind)]


def _as_item(text: str) -> Json:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
    }
