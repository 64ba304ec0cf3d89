"""`outlast watch`."""

from __future__ import annotations

from outlast.cli.command import RunId, command
from outlast.cli.commands.show import show


@command("""
outlast watch order-17
""")
def watch(run_id: RunId) -> int:
    """Follow a run live: its steps as they happen.

    It ends when the run ends or waits, or when nobody performs it any more; with all of it.
    """
    return show(run_id, follow=True)
