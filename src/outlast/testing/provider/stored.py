"""What the provider remembers of its answers: for `previous_response_id`, polls and re-attaching."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from outlast.testing.provider.calls import BadRequest
from outlast.testing.provider.parsed import Wire
from outlast.testing.provider.replies import Reply, response, response_events
from outlast.testing.provider.validity import partners_in


@dataclass
class Stored:
    """A response that can be asked for again."""

    reply: Reply
    history: list[Any]
    """The conversation before it, its own input included."""
    polls: int = 0
    """How many polls it takes until it is complete; 0 if it is."""
    asked: int = 0
    cancelled: bool = False

    @functools.cached_property
    def events(self) -> list[Wire]:
        """The events of its stream."""
        return response_events(self.reply)

    def poll(self) -> Wire:
        """The response as it is at one more poll: in progress, until it is complete."""
        self.asked += 1
        return self.state()

    def state(self) -> Wire:
        """The response as it is."""
        if self.cancelled:
            return response(self.reply, "cancelled")
        if self.asked >= self.polls:
            return response(self.reply)
        return response(self.reply, "in_progress" if self.asked else "queued")

    def cancel(self) -> Wire:
        """End it, unless it is complete already."""
        self.cancelled = self.cancelled or self.asked < self.polls
        return self.state()


class Store:
    """All responses of one provider, and the conversations that they belong to."""

    def __init__(self) -> None:
        self.responses: dict[str, Stored] = {}
        """By id."""
        self.partners: dict[str, str] = {}
        """Of items that were sent, by id, the reasoning that led to them."""
        self._conversations: dict[str, list[Any]] = {}

    def history(self, previous: str | None, conversation: str | None) -> list[Any]:
        """What was said before a request that continues a response or a conversation.

        Raises:
            BadRequest: There is no such response.
        """
        if conversation is not None:
            return list(self._conversations.get(conversation, []))
        if previous is None:
            return []
        kept = self.responses.get(previous)
        if kept is None:
            raise BadRequest(
                f"Previous response with id {previous!r} not found.", "previous_response_not_found"
            )
        return [*kept.history, *kept.reply.items]

    def keep(self, stored: Stored, conversation: str | None) -> None:
        """Remember an answer."""
        self.partners |= partners_in(stored.reply.items)
        self.responses[stored.reply.response_id] = stored
        if conversation is not None:
            self._conversations[conversation] = [*stored.history, *stored.reply.items]
