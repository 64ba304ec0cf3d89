"""`outlast show`."""

from __future__ import annotations

from outlast.cli.command import RunId, command, finish
from outlast.cli.logs import read_run
from outlast.cli.running import matching_run
from outlast.cli.screen import console
from outlast.cli.show import run_summary, run_tree


@command("""
outlast show
""")
def show(run_id: RunId) -> int:
    """Show what a run did: its steps, and where a process died."""
    found = finish(matching_run(run_id))
    view, children = finish(read_run(found))
    screen = console()
    screen.print(run_tree(found, view, children, screen.width))
    screen.print(run_summary(view))
    return 0
