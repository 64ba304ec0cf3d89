"""One line of what `outlast doctor` finds."""

from __future__ import annotations

from typing import Literal, NamedTuple

Verdict = Literal["good", "note", "bad"]


class Check(NamedTuple):
    """What was looked at, and what was found."""

    name: str
    verdict: Verdict
    found: str
