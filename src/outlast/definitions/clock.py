"""The wall clock, within what every reader of its times can say.

A clock that is wrong by 10,000 years is wrong, and no reason to lose a run: SQLite's dates end with the
year 9999, and so do Python's. So nothing else here asks the wall clock, or makes a date of its times.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

LATEST_S = 253_370_764_800.0
"""1 January 9999: before it there is room to wait for something for a year."""


def wall_s() -> float:
    """The time in seconds since 1970, as near to it as there are dates."""
    return within_dates(time.time())


def wall_us() -> int:
    """The time in whole microseconds since 1970, as near to it as there are dates."""
    return min(max(time.time_ns() // 1000, 0), int(LATEST_S) * 1_000_000)


def within_dates(at: float) -> float:
    """The nearest moment that has a date; of what is no number, the first."""
    return min(max(at, 0.0), LATEST_S) if at == at else 0.0  # noqa: PLR0124  # not a number


def utc(at: float) -> datetime:
    """A time in seconds since 1970 as a date in UTC, or the nearest one that there is."""
    return datetime.fromtimestamp(within_dates(at), UTC)
