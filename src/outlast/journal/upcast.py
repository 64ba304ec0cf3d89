"""Read events of older versions as events of today.

To rename or split an event: raise `core.events.VERSION`, add the function that turns one event of
the version before into its successors, and keep a log of that version in `tests/golden`. A function
gets the event's JSON object and may change it. Rows are never rewritten, so it runs at each read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Upcaster = Callable[[dict[str, Any]], list[dict[str, Any]]]

UPCASTERS: Mapping[int, Upcaster] = {}
"""By the version that they read."""


def upcast(
    event: dict[str, Any], version: int, to: int, upcasters: Mapping[int, Upcaster]
) -> list[dict[str, Any]]:
    """What an event of `version` is in version `to`: one event, several, or none."""
    events = [event]
    for step in range(version, to):
        if step in upcasters:
            events = [new for old in events for new in upcasters[step](old)]
    return events
