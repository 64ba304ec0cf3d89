"""`outlast resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import AgentPlace, AsJson, MaxTurns, command, finish
from outlast.cli.logs import is_cut_off, list_runs
from outlast.cli.panel import panel
from outlast.cli.problem import problem_of
from outlast.cli.running import matching_run, resume_one
from outlast.cli.screen import console
from outlast.core.errors import IncompatibleRun


@command("""
outlast resume 3f9c --agent desk.py
outlast resume --all --agent desk.py
outlast resume order-17 --agent desk.py:triage
""")
def resume(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, or the start of one.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All runs that were interrupted.")
    ] = False,
    place: AgentPlace = "",
    max_turns: MaxTurns = None,
    as_json: AsJson = False,
) -> int:
    """Go on with a run that was interrupted, paused or has failed.

    With --all, it goes on with all that were interrupted.
    """
    if bool(run_id) == everything:
        raise typer.BadParameter("Name a run, or say --all.")
    if everything and as_json:
        raise typer.BadParameter("--json is for one run. After --all, see: outlast runs --json")
    chosen = [finish(matching_run(run_id))] if run_id else finish(_interrupted())
    if not chosen:
        console().print("Nothing to resume: no run was interrupted.")
    if run_id:
        return resume_one(chosen[0], place, max_turns, as_json=as_json)
    return max((_one_of_many(each, place, max_turns) for each in chosen), default=0)


def _one_of_many(run_id: str, place: str, max_turns: int | None) -> int:
    """A run that the program does not fit is left as it was, and the others go on."""
    try:
        return resume_one(run_id, place, max_turns)
    except IncompatibleRun as error:
        panel(problem_of(error))
        return 1


async def _interrupted() -> list[str]:
    rows = await list_runs("running", roots_only=True)
    return [row.run_id for row in rows if is_cut_off(row)]
