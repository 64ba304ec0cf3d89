"""`outlast approvals`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import AsJson, Full, Limit, command, finish, known_ids
from outlast.cli.deciding import Shown, list_waiting
from outlast.cli.running import matching_run


@command("""
outlast approvals                  what waits, in all runs
outlast approvals ticket-12        what waits in one run
outlast approvals --agent Clerk --limit 5 --json
""")
def approvals(  # a command has the options that it has
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Only of this run: its id, or the start of one.",
            autocompletion=known_ids,
        ),
    ] = "",
    agent: Annotated[str, typer.Option(help="Only calls of this agent.")] = "",
    limit: Limit = 0,
    full: Full = False,
    as_json: AsJson = False,
) -> int:
    """List the calls that wait for a person, and how to answer them."""
    run_id = finish(matching_run(run_id)) if run_id else ""
    return list_waiting(run_id, Shown(agent, limit, full, as_json))
