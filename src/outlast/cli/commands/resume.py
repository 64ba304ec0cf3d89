"""`outlast resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import AgentPlace, MaxTurns, command, finish
from outlast.cli.logs import is_cut_off, list_runs
from outlast.cli.running import matching_run, resume_one
from outlast.cli.screen import console


@command("""
outlast resume 3f9c
outlast resume --all
outlast resume order-17 --agent desk.py:triage
""")
def resume(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All runs that were interrupted.")
    ] = False,
    place: AgentPlace = "",
    max_turns: MaxTurns = None,
) -> int:
    """Go on with a run that was interrupted or has failed, or with all that were interrupted."""
    if bool(run_id) == everything:
        raise typer.BadParameter("Name a run, or say --all.")
    chosen = [finish(matching_run(run_id))] if run_id else finish(_interrupted())
    if not chosen:
        console().print("Nothing to resume: no run was interrupted.")
    codes = [resume_one(each, place, max_turns) for each in chosen]
    return max(codes, default=0)


async def _interrupted() -> list[str]:
    return [row.run_id for row in await list_runs() if is_cut_off(row) and not row.parent]
