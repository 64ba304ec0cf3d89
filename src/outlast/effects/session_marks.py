"""What a session holds of a run, where a process died while it wrote: looked up, and not guessed.

A session has four methods and knows nothing of runs, and others write to it too. So a run notes, when
it reads its history, how far that reaches: how many items there are, and hashes of the last ones. What
the run has written is behind that place, wherever others have written in between: an item is held if
the session has it there more often than the run had written it before, and other runs after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from outlast.core.events import Item
from outlast.core.identity import canonical, short_hash

_MARK = 4
"""Items whose hashes are noted."""


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


def rest_behind(written: Sequence[Item], between: Iterable[Item]) -> Sequence[Item]:
    """What a run has written behind ``between``, which the session holds before that."""
    keys = [canonical(item) for item in written]
    count = 0
    for item in between:
        if count < len(keys) and canonical(item) == keys[count]:
            count += 1
    return list(islice(written, count, None))


def held_of(
    batch: Sequence[Item],
    written: Sequence[Item],
    behind: Sequence[Item],
    others: Iterable[Sequence[Item]] = (),
) -> int:
    """How many of the first items of ``batch`` a session holds.

    Args:
        batch: What the run was about to write, in that order.
        written: What it had written before.
        behind: What the session holds behind the history that the run has read.
        others: What each other run has written there. One of which anything is not there has written
            to another session of that id, or somebody has taken it back.
    """
    spare = Counter(map(canonical, behind))
    spare.subtract(map(canonical, written))
    for theirs in others:
        wrote = Counter(map(canonical, theirs))
        if all(spare[key] >= count for key, count in wrote.items()):
            spare.subtract(wrote)
    for count, item in enumerate(batch):
        key = canonical(item)
        if spare[key] <= 0:
            return count
        spare[key] -= 1
    return len(batch)
