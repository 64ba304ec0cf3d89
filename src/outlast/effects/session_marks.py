"""What a session holds of a run, where a process died while it wrote: looked up, and not guessed.

A session has four methods and knows nothing of runs, and others write to it too. So a run notes, when
it reads its history, how far that reaches: how many items there are, and hashes of the last ones. What
the run has written is behind that place, wherever others have written in between: an item is held if
the session has it there more often than the run had written it before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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


def held_of(batch: Sequence[Item], written: Sequence[Item], behind: Sequence[Item]) -> int:
    """How many of the first items of ``batch`` a session holds.

    Args:
        batch: What the run was about to write, in that order.
        written: What it had written before.
        behind: What the session holds behind the history that the run has read.
    """
    spare = Counter(map(canonical, behind))
    spare.subtract(map(canonical, written))
    for count, item in enumerate(batch):
        key = canonical(item)
        if spare[key] <= 0:
            return count
        spare[key] -= 1
    return len(batch)
