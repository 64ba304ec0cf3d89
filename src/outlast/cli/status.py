"""What one says of a run in a word, and how one names it shortly. Every list and page asks here."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import get_args

from outlast.journal.journal import RunSummary, Status

STATUSES = tuple(sorted({*get_args(Status), "interrupted"}))
"""All the words there are. "interrupted" is what a run is that nobody goes on with."""

_MADE_UP = re.compile(r"[0-9a-f]{32}")
_SHORTEST = 8


def status_of(run: RunSummary) -> str:
    """The status of a run as it is now: one that runs without an owner was interrupted."""
    return "interrupted" if run.status == "running" and not run.owner_alive else run.status


def short_ids(run_ids: Collection[str]) -> dict[str, str]:
    """For each id, one that is enough to find it by. Ids that somebody chose stay whole."""
    return {each: _shortened(each, run_ids) for each in run_ids}


def _shortened(run_id: str, known: Collection[str]) -> str:
    if not _MADE_UP.fullmatch(run_id):
        return run_id
    lengths = range(_SHORTEST, len(run_id))
    fitting = (run_id[:length] for length in lengths)
    unique = (start for start in fitting if sum(each.startswith(start) for each in known) == 1)
    return next(unique, run_id)
