"""The usage that user code sees in its context: a view of what the log says that calls have cost.

The log has the one ledger: an event for every reply, accepted or refused, and for every run that
performed a call. Each is counted when the run's state has it, so that the context never shows what
the log has not.
"""

from __future__ import annotations

from outlast.core.events import ModelReplied, UsageAdded
from outlast.core.usage import usage_of
from outlast.definitions.context import RunContextWrapper
from outlast.effects.live import Live


class Ledger:
    """Adds what a run's events cost to the usage of its context."""

    __slots__ = ("_context", "_live")

    def __init__(self, context: RunContextWrapper[object], live: Live) -> None:
        self._context = context
        self._live = live

    def count(self, event: ModelReplied | UsageAdded) -> None:
        """Add the cost of ``event``, which the run's state has from now on."""
        if isinstance(event, ModelReplied):
            response = self._live.responses.get(event.id)  # It tells requests apart.
            self._context.usage.add(response.usage if response else usage_of(event.usage))
        elif event.id not in self._live.counted:
            self._context.usage.add(usage_of(event.usage))
