"""How the model call in progress was asked for, and who hears of its progress.

Whoever makes a model call says so with `asking`: within which limits, and whether it sees to
repeated attempts itself. Transports report to it what they see, so that an endpoint that keeps a
connection busy with nothing is known to be silent.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from holdfast.definitions.limits import DEFAULT_LIMITS, ModelLimits


def _ignored() -> None:
    return None


class Asking(NamedTuple):
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


_ASKING: ContextVar[Asking] = ContextVar("holdfast_asking", default=Asking())  # noqa: B039 (a tuple)


@contextmanager
def asking(how: Asking) -> Generator[None]:
    """Let the calls made in here be made in that way."""
    token = _ASKING.set(how)
    try:
        yield
    finally:
        _ASKING.reset(token)


def asked() -> Asking:
    """How the call in progress was asked for."""
    return _ASKING.get()


def limits_of(own: ModelLimits | None = None) -> ModelLimits:
    """The limits of the call in progress, of a model that has its ``own``."""
    return _ASKING.get().limits or own or DEFAULT_LIMITS
