"""`outlast cancel`."""

from __future__ import annotations

from rich.text import Text

from outlast.cli.command import By, WholeRunId, Why, command, finish
from outlast.cli.running import account, whole_run
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.run.decisions import cancel as end


@command("""
outlast cancel ticket-12
outlast cancel ticket-12 --why "ordered twice"
""")
def cancel(
    run_id: WholeRunId,
    by: By = "",
    why: Why = "",
) -> int:
    """End a run that no process performs: one that waits, was interrupted, abandoned or failed."""
    run_id = finish(whole_run(run_id))
    finish(end(run_id, by=by or account(), why=why))
    console().print(Text(f"cancelled {plain(run_id)}", style="bold"))
    return 0
