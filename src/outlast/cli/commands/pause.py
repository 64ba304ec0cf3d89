"""`outlast pause`."""

from __future__ import annotations

from outlast.cli.command import By, WholeRunId, Why, command, finish
from outlast.cli.running import account, say, whole_run
from outlast.run.control import pause as hold


@command("""
outlast pause ticket-12
outlast pause ticket-12 --why "the price list is wrong"
""")
def pause(run_id: WholeRunId, by: By = "", why: Why = "") -> int:
    """Let a run begin nothing new until somebody resumes it.

    What it performs ends first.
    """
    run_id = finish(whole_run(run_id))
    finish(hold(run_id, by=by or account(), why=why))
    say("paused", run_id)
    return 0
