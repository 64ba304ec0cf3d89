"""Text that models are writing, for those who watch: a courtesy, kept nowhere.

There is one text for each reply in flight, however many read it. A reader remembers how far it has
read, so a slow one holds nothing up and costs nothing. What another process of the machine writes is
fetched from there while somebody here reads it.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from outlast.core.ids import effect_id
from outlast.server.background import tried
from outlast.server.chunks import Chunks

_LOOK_S = 0.1
_REST_S = 5.0
"""After a look that failed."""
_ASK_LOOKS = 50
"""Every so many looks, others are told again who reads here."""


class Draft(NamedTuple):
    """A reply as far as it is written."""

    effect: str
    attempt: int
    text: str


class LiveTexts:
    """The replies in flight, by run."""

    def __init__(self) -> None:
        self._drafts: dict[str, Draft] = {}
        self._elsewhere: dict[str, Draft] = {}
        """Those that other processes write, and somebody reads here."""
        self._shown: dict[str, Draft] = {}
        """Those of ours that others were shown, as they were then."""
        self._asked: set[str] = set()
        """The runs that others know to be read here."""
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._is_needed = asyncio.Event()

    def begin(self, run_id: str, turn: int) -> None:
        """A reply begins, perhaps not for the first time."""
        last, effect = self._drafts.get(run_id), effect_id("model", turn)
        attempt = last.attempt + 1 if last and last.effect == effect else 1
        self._drafts[run_id] = Draft(effect, attempt, "")
        self._is_needed.set()
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
        """The reply that a run writes; None if nobody on this machine is known to write one."""
        return self._drafts.get(run_id) or self._elsewhere.get(run_id)

    def listen(self, run_id: str, bell: asyncio.Event) -> None:
        """Set ``bell`` whenever there is more, until `ignore`."""
        self._bells.setdefault(run_id, set()).add(bell)
        self._is_needed.set()

    def ignore(self, run_id: str, bell: asyncio.Event) -> None:
        """Set it no more."""
        bells = self._bells.get(run_id, set())
        bells.discard(bell)
        if not bells:
            self._bells.pop(run_id, None)
            self._elsewhere.pop(run_id, None)
            self._asked.discard(run_id)

    async def share(self, chunks: Chunks) -> None:
        """Show others what they read of what is written here, and fetch what is read here, until cancelled."""
        looks = 0
        while True:
            await self._is_needed.wait()
            look = self._look(chunks, asks=looks % _ASK_LOOKS == 0)
            pause_s = _LOOK_S if await tried("Sharing texts that are written", look) else _REST_S
            looks += 1
            await asyncio.sleep(pause_s)

    async def _look(self, chunks: Chunks, *, asks: bool) -> None:
        self._show(chunks)
        self._fetch(chunks, asks=asks)
        if not (self._drafts or self._bells or self._shown):
            self._is_needed.clear()

    def _show(self, chunks: Chunks) -> None:
        for run_id in [each for each in self._shown if each not in self._drafts]:
            chunks.drop(run_id)
            del self._shown[run_id]
        for run_id in chunks.asked(self._drafts) if self._drafts else ():
            draft = self._drafts[run_id]
            if self._shown.get(run_id) != draft:
                chunks.put(run_id, draft)
                self._shown[run_id] = draft

    def _fetch(self, chunks: Chunks, *, asks: bool) -> None:
        for run_id in [each for each in self._bells if each not in self._drafts]:
            if asks or run_id not in self._asked:
                chunks.ask(run_id)
                self._asked.add(run_id)
            found = chunks.get(run_id)
            if found is None:
                self._elsewhere.pop(run_id, None)
            elif self._elsewhere.get(run_id) != found:
                self._elsewhere[run_id] = Draft(*found)
                self._ring(run_id)

    def _ring(self, run_id: str) -> None:
        for bell in self._bells.get(run_id, ()):
            bell.set()
