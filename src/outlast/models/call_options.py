"""How the model call in progress was asked for, and who hears of its progress.

Whoever makes a model call says so with `asking`: within which limits, and whether it sees to
repeated attempts itself. Transports report to it what they see, so that an endpoint that keeps a
connection busy with nothing is known to be silent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from typing import Any

import msgspec

from outlast.definitions.limits import DEFAULT_LIMITS, ModelLimits


def _ignored() -> None:
    return None


def no_call(call_id: str) -> str | None:
    """What a call has asked for, where there has been none."""
    del call_id
    return None


class Acceptance:
    """What is known about a call that may have been accepted already.

    Args:
        response_id: Under which id the provider has the call; empty if it has not.
        by: Who has it, where several may be asked.
        record: Remembers both for good. An empty id says that there is nothing to ask for.
    """

    __slots__ = ("_by", "_record", "_response_id")

    def __init__(
        self, response_id: str, by: str, record: Callable[[str, str], Awaitable[None]]
    ) -> None:
        self._response_id = response_id
        self._by = by
        self._record = record

    def response_of(self, by: str) -> str:
        """The id under which ``by`` has the call; empty if it has not."""
        return self._response_id if self._by == by else ""

    async def accepted(self, response_id: str, by: str) -> None:
        """Remember for good that ``by`` has the call."""
        if (response_id, by) != (self._response_id, self._by):
            self._response_id, self._by = response_id, by
            await self._record(response_id, by)

    async def over(self) -> None:
        """Remember that there is no answer to wait for any more."""
        if self._response_id:
            await self.accepted("", "")


class Asking(msgspec.Struct, frozen=True):
    """How a model is being asked."""

    limits: ModelLimits | None = None
    """None for the model's own."""
    once: bool = False
    """Whether the provider's client must not ask again by itself."""
    discreet: bool = False
    """Whether what the provider says of a failure stays out of texts, which logs and traces keep."""
    opened: Callable[[], None] = _ignored
    """Called when an answer has begun."""
    data: Callable[[], None] = _ignored
    """Called when a piece of an answer has come that says something: no keep-alive."""
    detached: Callable[[], None] = _ignored
    """Called when the provider has promised to work on by itself, for as long as that takes."""
    acceptance: Acceptance | None = None
    """What is known about this very call; None where nobody remembers it."""
    place: str = ""
    """The call's place in its run, such as ``m3``; empty outside of a run."""
    earlier_call: Callable[[str], str | None] = no_call
    """Says what the run's call of an id has asked for; None if there was none."""
    last_reply: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    """Gives the items of the run's last reply."""


_ASKING: ContextVar[Asking] = ContextVar("outlast_asking", default=Asking())  # noqa: B039 (frozen)


class _Block:
    """A block in which calls are made in one way. Every model call is in one: it must be quick."""

    __slots__ = ("_how", "_token")

    def __init__(self, how: Asking) -> None:
        self._how = how

    def __enter__(self) -> None:
        self._token: Token[Asking] = _ASKING.set(self._how)

    def __exit__(self, *_: object) -> None:
        _ASKING.reset(self._token)


def asking(how: Asking) -> AbstractContextManager[None]:
    """Let the calls made in here be made in that way."""
    return _Block(how)


def asked() -> Asking:
    """How the call in progress was asked for."""
    return _ASKING.get()


def limits_of(own: ModelLimits | None = None) -> ModelLimits:
    """The limits of the call in progress, of a model that has its ``own``."""
    return _ASKING.get().limits or own or DEFAULT_LIMITS
