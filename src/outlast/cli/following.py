"""Following a run: its steps as they happen, until it ends, waits, or nobody performs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from rich.text import Text

from outlast.cli.logs import list_runs, status_of
from outlast.cli.screen import console
from outlast.cli.show import step_line
from outlast.cli.text import plain
from outlast.core.stored import Stored
from outlast.journal.opening import open_journal
from outlast.views.steps import Reader
from outlast.views.timeline import Takeover, Timeline

_LOOK_S = 1.0
"""So long after the last event, and each time again, it is asked whether somebody performs the run."""
_LOOKS = 5
"""So many times in turn nobody has to: a worker may be about to go on with the run."""


async def status_now(run_id: str) -> str:
    """The word that the list of runs has for it."""
    rows = await list_runs(run_id_starts=run_id)
    return next((status_of(row) for row in rows if row.run_id == run_id), "")


async def follow(run_id: str) -> None:
    """Print the steps of a run as they happen. Returns when it ends, waits, or nobody performs it."""
    screen, reader, shown = console(), Reader(), set[str]()
    last = (await open_journal().read(run_id))[-1].seq
    async for stored in _performed(run_id):
        reader.add(stored)
        view = reader.timeline()
        for step in view.steps:
            name = f"{step.id} {step.epoch} {step.attempt} {step.outcome}"
            if step.is_over and name not in shown:
                shown.add(name)
                screen.print(step_line(view, step, screen.width))
        if stored.seq >= last and view.status != "running":
            return
        if stored.seq == 0:
            screen.print(Text(f"following {plain(run_id)}; Ctrl-C ends it", style="dim"))


def why_nobody(view: Timeline) -> str:
    """Why nobody performs a run that has something to do, as far as its log says."""
    if view.status == "abandoned" and not view.source:
        return "nobody performs it: whoever asked for it has left"
    if view.status == "abandoned" or not view.rows:
        return "nobody performs it yet"
    owner = next((each.owner for each in reversed(view.rows) if isinstance(each, Takeover)), "")
    return f"nobody performs it: its process{f' ({plain(owner)})' if owner else ''} died"


async def _performed(run_id: str) -> AsyncIterator[Stored]:
    """The events of a run, for as long as somebody performs it."""
    events = aiter(open_journal().watch(run_id))
    coming: asyncio.Future[Any] = asyncio.ensure_future(anext(events))
    left = 0
    try:
        while left < _LOOKS:
            await asyncio.wait({coming}, timeout=_LOOK_S)
            if coming.done():
                left = 0
                yield coming.result()
                coming = asyncio.ensure_future(anext(events))
                continue
            left = left + 1 if await status_now(run_id) == "interrupted" else 0
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
