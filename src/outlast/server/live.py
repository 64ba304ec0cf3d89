"""Text that models are writing in this process, for those who watch: a courtesy, kept nowhere.

There is one text for each reply in flight, however many read it. A reader remembers how far it has
read, so a slow one holds nothing up and costs nothing.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from outlast.core.ids import effect_id


class Draft(NamedTuple):
    """A reply as far as it is written."""

    effect: str
    attempt: int
    text: str


class LiveTexts:
    """The replies in flight, by run."""

    def __init__(self) -> None:
        self._drafts: dict[str, Draft] = {}
        self._bells: dict[str, set[asyncio.Event]] = {}

    def begin(self, run_id: str, turn: int) -> None:
        """A reply begins, perhaps not for the first time."""
        last, effect = self._drafts.get(run_id), effect_id("model", turn)
        attempt = last.attempt + 1 if last and last.effect == effect else 1
        self._drafts[run_id] = Draft(effect, attempt, "")
        self._ring(run_id)

    def add(self, run_id: str, turn: int, text: str) -> None:
        """A reply goes on."""
        last = self._drafts.get(run_id)
        if last is None or last.effect != effect_id("model", turn):
            self.begin(run_id, turn)
            last = self._drafts[run_id]
        self._drafts[run_id] = last._replace(text=last.text + text)
        self._ring(run_id)

    def end(self, run_id: str) -> None:
        """Nothing more of a run is written here."""
        self._drafts.pop(run_id, None)
        self._ring(run_id)

    def draft(self, run_id: str) -> Draft | None:
        """The reply that a run writes; None if it writes none here."""
        return self._drafts.get(run_id)

    def listen(self, run_id: str, bell: asyncio.Event) -> None:
        """Set ``bell`` whenever there is more, until `ignore`."""
        self._bells.setdefault(run_id, set()).add(bell)

    def ignore(self, run_id: str, bell: asyncio.Event) -> None:
        """Set it no more."""
        bells = self._bells.get(run_id, set())
        bells.discard(bell)
        if not bells:
            self._bells.pop(run_id, None)

    def _ring(self, run_id: str) -> None:
        for bell in self._bells.get(run_id, ()):
            bell.set()
