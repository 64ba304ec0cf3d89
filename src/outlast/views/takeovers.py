"""How often a run was taken up in vain: what may be what kills those who go on with it."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.core.events import EffectStarted, RunAcquired, TurnPrepared
from outlast.core.stored import Stored

_NO_PROGRESS = (RunAcquired, EffectStarted, TurnPrepared)


def vain_takeovers(log: Sequence[Stored]) -> int:
    """How many have taken up the run, one after the other, since something last came of it."""
    times = 0
    for stored in reversed(log):
        if not isinstance(stored.event, _NO_PROGRESS):
            break
        times += isinstance(stored.event, RunAcquired)
    return times
