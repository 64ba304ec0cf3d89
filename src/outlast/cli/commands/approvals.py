"""`outlast approvals`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import AsJson, Full, command, finish
from outlast.cli.deciding import list_waiting
from outlast.cli.running import matching_run


@command("""
outlast approvals                  what waits, in all runs
outlast approvals ticket-12        what waits in one run
outlast approvals --full --json
""")
def approvals(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="Only of this run: its id, or the start of one.")
    ] = "",
    full: Full = False,
    as_json: AsJson = False,
) -> int:
    """List the calls that wait for a person, each with the commands that answer it."""
    run_id = finish(matching_run(run_id)) if run_id else ""
    return list_waiting(run_id, is_full=full, as_json=as_json)
