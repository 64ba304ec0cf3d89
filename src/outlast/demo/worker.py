"""The process that performs the desk's run, and shows what happens.

Started with `OUTLAST_DEMO_KILL=1` it kills itself in its first refund: after the ledger has it,
and before the tool has returned.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from rich.text import Text

from outlast import Runner
from outlast.cli.live import LiveScreen
from outlast.cli.screen import console
from outlast.demo.desk import Desk, triage
from outlast.demo.model import DeskModel
from outlast.demo.orders import Shop
from outlast.testing.crashing import kill_this_process

KILL = "OUTLAST_DEMO_KILL"
LIVE = "OUTLAST_DEMO_LIVE"
"""Set where the real model is to play the desk."""


async def work(run_id: str, database: Path, message: str) -> None:
    """Start the run, or go on with it: the same call does both."""
    screen, pid = console(), os.getpid()
    is_first = KILL in os.environ
    what = f"starts run {run_id}" if is_first else "starts the same run again"
    screen.print(Text(f"\n{1 if is_first else 2}  process {pid} {what}", style="bold"))
    live = LiveScreen(screen)

    def posted(order_id: str, is_new: bool) -> None:
        how = f"posted by process {pid}" if is_new else "asked again, same key: nothing posted"
        live.note(f"ledger: {order_id} {how}", "green")
        if is_first:
            kill_this_process()

    model = None if uses_real_model() else DeskModel()
    desk = Desk(Shop(database), posted)
    result = Runner.run_streamed(triage(model), message, context=desk, run_id=run_id)
    await live.show(result)


def uses_real_model() -> bool:
    """Whether somebody asked for the real model. A key alone is no wish to spend money."""
    return LIVE in os.environ


if __name__ == "__main__":
    _, run, place, said = sys.argv
    asyncio.run(work(run, Path(place), said))
