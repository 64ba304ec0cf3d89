"""Times and ids, as the trace provider in use makes them."""

from __future__ import annotations

from collections.abc import Callable

from outlast.definitions.clock import utc, wall_s
from outlast.definitions.host import random_bytes


class Clock:
    """Times of this machine and random ids. A provider may have its own."""

    def time_iso(self) -> str:
        """The time now, ISO 8601, UTC."""
        return utc(wall_s()).isoformat()

    def gen_trace_id(self) -> str:
        """A new id of a trace: ``trace_`` and 32 hex digits."""
        return f"trace_{random_bytes(16).hex()}"

    def gen_span_id(self) -> str:
        """A new id of a span: ``span_`` and 24 hex digits."""
        return f"span_{random_bytes(12).hex()}"

    def gen_group_id(self) -> str:
        """A new id of a group of traces: ``group_`` and 24 hex digits."""
        return f"group_{random_bytes(12).hex()}"


_clock: Callable[[], Clock] = Clock


def ask(clock: Callable[[], Clock]) -> None:
    """Take times and ids from what ``clock`` returns, from now on."""
    global _clock  # noqa: PLW0603  # `setup` names the provider here; importing it would be a cycle
    _clock = clock


def is_in_use(clock: Clock) -> bool:
    """Whether times and ids are this very clock's, and not those of one that stands around it."""
    return _clock() is clock


def time_iso() -> str:
    """See `Clock`, as for the next three."""
    return _clock().time_iso()


def gen_trace_id() -> str:
    """See `Clock`."""
    return _clock().gen_trace_id()


def gen_span_id() -> str:
    """See `Clock`."""
    return _clock().gen_span_id()


def gen_group_id() -> str:
    """See `Clock`."""
    return _clock().gen_group_id()
