"""Saying what keeps a run from going on: an activity that fails, and is tried again and again.

Temporal shows that to who looks at its interface; whoever waits for the run's answer sees nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from outlast.core.errors import JournalError
from outlast.definitions.logger import logger

LOOK_S = 5.0
"""How often to look, while nothing happens."""
_ATTEMPTS = 3
"""An activity that begins for the third time has failed twice."""
_TEXT = 300


class Troubles:
    """What was said of a run's activities by one who waits for it."""

    def __init__(self, run_id: str, described: Callable[[str], Awaitable[Any]]) -> None:
        self._run_id, self._described = run_id, described
        self._next = time.monotonic() + LOOK_S
        self._warned: set[tuple[str, str]] = set()

    async def look(self) -> None:
        """Warn of what has failed since, once for each activity and kind of failure."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_S
        try:
            found = await self._described(self._run_id)
        except JournalError:
            return
        for each in found.raw_description.pending_activities:
            if each.attempt >= _ATTEMPTS and each.HasField("last_failure"):
                self._warn(each)

    def _warn(self, activity: Any) -> None:
        failure = activity.last_failure
        info = failure.WhichOneof("failure_info") or "error"
        kind = failure.application_failure_info.type or info.removesuffix("_failure_info")
        if (activity.activity_id, kind) in self._warned:
            return
        self._warned.add((activity.activity_id, kind))
        logger.warning(
            "Run %s waits for %s, which has failed %d times on its workers, the last time of %s: %s It is "
            "tried again until it succeeds, or the run is cancelled.",
            self._run_id,
            activity.activity_type.name,
            activity.attempt - 1,
            kind,
            f"{failure.message[:_TEXT].rstrip('.')}.",
        )
