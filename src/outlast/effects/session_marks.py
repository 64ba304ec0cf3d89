"""What a session holds of a run, where a process died while it wrote: looked up, and not guessed.

A session has four methods and knows nothing of runs, and others write to it too. So a run notes, when
it reads its history, how far that reaches: how many items there are, and hashes of the last ones. What
the run has written is behind that place, wherever others have written in between: an item is held if
the session has it there more often than the run had written it before. Runs of one conversation say
equal things ("Next.", "Done."), so what their logs say that they have written there is not the run's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from outlast.core.events import Item
from outlast.core.identity import canonical, short_hash

_MARK = 4
"""Items whose hashes are noted."""


class Writer(NamedTuple):
    """What the log of a run says of the session."""

    held: int | None
    """How many items the session held when the run read it, if that is known."""
    mark: tuple[str, ...]
    """What `mark_of` said then."""
    written: Sequence[Item]
    """What the run has written, in that order."""


def mark_of(history: Sequence[Item]) -> tuple[str, ...]:
    """Hashes of the last items, oldest first."""
    return tuple(short_hash(canonical(item)) for item in history[-_MARK:])


def place_behind(items: Sequence[Item], held: int | None, mark: tuple[str, ...]) -> int:
    """Where in a session that which came after a noted history begins.

    Args:
        items: All that the session holds now.
        held: How many items it held then, if that is known.
        mark: What `mark_of` said then.
    """
    if held is not None and mark_of(items[:held]) == mark and held <= len(items):
        return held
    if not mark:
        return 0
    hashes = [short_hash(canonical(item)) for item in items]
    size = len(mark)
    for end in range(len(hashes), size - 1, -1):
        if tuple(hashes[end - size : end]) == mark:
            return end
    return 0  # Somebody has emptied the session, or taken items back: all of it is new.


def unclaimed(
    place: int, items: Sequence[Item], written: Sequence[Item], others: Sequence[Writer]
) -> Counter[bytes]:
    """What a session holds behind a place and no run's log says that it has written.

    Of what another run has written, its first items are looked for before the place, and the rest behind
    it. One of which something is missing has written to another store, or somebody has taken it back.

    Args:
        place: What `place_behind` said.
        items: All that the session holds now.
        written: What the run whose place it is has written. All of it is behind.
        others: The other runs of the session.
    """
    keys = [canonical(item) for item in items]
    spare = Counter(keys[place:])
    spare.subtract(map(canonical, written))
    before: dict[bytes, list[int]] = {}
    for at, key in enumerate(keys[:place]):
        before.setdefault(key, []).append(at)
    starts = [(place_behind(items, other.held, other.mark), other) for other in others]
    for start, other in sorted(starts, key=lambda each: each[0]):
        theirs = [canonical(item) for item in other.written]
        if Counter(theirs) - Counter(keys[start:]):
            continue
        rest = Counter(key for key in theirs if not _taken(before, key, start))
        if all(spare[key] >= count for key, count in rest.items()):
            spare.subtract(rest)
    return spare


def _taken(before: dict[bytes, list[int]], key: bytes, start: int) -> bool:
    """Whether an item stands behind ``start`` that nobody has taken; now somebody has."""
    places = before.get(key, [])
    at = bisect_left(places, start)
    if at == len(places):
        return False
    del places[at]
    return True


def held_of(batch: Sequence[Item], spare: Counter[bytes]) -> int:
    """How many of the first items of ``batch`` are among those that are `unclaimed`."""
    spare = spare.copy()
    for count, item in enumerate(batch):
        key = canonical(item)
        if spare[key] <= 0:
            return count
        spare[key] -= 1
    return len(batch)
