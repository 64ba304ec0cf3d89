"""An event with its place in a log: what views read, and journals hand out."""

from __future__ import annotations

from typing import NamedTuple

from outlast.core.events import Event


class Stored(NamedTuple):
    """An event with its place in the log."""

    seq: int
    at: float
    """Seconds since 1970, by the writer's clock."""
    epoch: int
    """Which of the processes that performed the run one after another wrote it, counted from 1."""
    event: Event
