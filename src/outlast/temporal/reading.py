"""Reading logs of a cluster: pieces from the store, back from the last one."""

from __future__ import annotations

import msgspec

from outlast.core.errors import JournalCorrupt
from outlast.core.events import Event
from outlast.temporal.chain import Reference, unpacked
from outlast.temporal.store import Store
from outlast.temporal.workflow import Page

_page = msgspec.json.Decoder(Page).decode


async def log_behind(store: Store, last: Reference, known: int = 0) -> list[Event]:
    """The events of a log up to ``last``, oldest first.

    Args:
        store: Where the pieces are.
        last: The last piece.
        known: How many events the caller has already: those are left out.

    Raises:
        JournalCorrupt: A piece is missing, or is not what its name says.
    """
    found: list[list[Event]] = []
    name = last.name
    while name:
        try:
            piece = unpacked(await store.get(name))
        except msgspec.MsgspecError:
            raise JournalCorrupt(f"Piece {name!r} of a log cannot be read.") from None
        found.append(piece.events[max(0, known - piece.at) :])
        if piece.at <= known:
            break
        name = piece.before
    return [event for events in reversed(found) for event in events]


async def read_page(store: Store, answer: bytes, known: int = 0) -> tuple[list[Event], str]:
    """The events of a log behind the first ``known`` ones, and what the run has come to."""
    page = _page(answer)
    before: list[Event] = []
    if known < page.length:
        before = await log_behind(store, Reference(page.name, page.length), known)
    return [*before, *page.events[max(0, known - page.length) :]], page.status
