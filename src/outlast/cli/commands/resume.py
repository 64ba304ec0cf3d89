"""`outlast resume`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.command import AgentPlace, command, finish
from outlast.cli.logs import is_cut_off, list_runs, read_run
from outlast.cli.running import matching_run, perform, program_of, say_finished
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.journal.journal import TERMINAL


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
) -> int:
    """Go on with a run, or with all that were interrupted."""
    if bool(run_id) == everything:
        raise typer.BadParameter("Name a run, or say --all.")
    chosen = [finish(matching_run(run_id))] if run_id else finish(_interrupted())
    if not chosen:
        console().print("Nothing to resume: no run was interrupted.")
    codes = [_resume_one(each, place) for each in chosen]
    return max(codes, default=0)


async def _interrupted() -> list[str]:
    return [row.run_id for row in await list_runs() if is_cut_off(row) and not row.parent]


def _resume_one(run_id: str, place: str) -> int:
    view, _ = finish(read_run(run_id))
    if view.status in TERMINAL:
        return say_finished(run_id, view)
    program = program_of(run_id, view, place)
    console().print(Text(f"resuming {plain(run_id)}", style="bold"))
    return finish(perform(program, "", run_id))
