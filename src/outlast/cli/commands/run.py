"""`outlast run`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import command, finish
from outlast.cli.logs import list_runs, read_run
from outlast.cli.program import load_program
from outlast.cli.running import need_key, perform, say_finished
from outlast.journal.journal import TERMINAL


@command
def run(
    place: Annotated[str, typer.Argument(metavar="FILE[:AGENT]", help="A Python file.")],
    message: Annotated[str, typer.Argument(help="What to tell the agent.")],
    run_id: Annotated[
        str, typer.Option("--id", help="Continue or return the run of this id.")
    ] = "",
) -> int:
    """Run an agent of a Python file."""
    program = load_program(place)
    if run_id and finish(_has_ended(run_id)):
        return say_finished(run_id, finish(read_run(run_id))[0])
    need_key(program.agent)
    return finish(perform(program, message, run_id or None))


async def _has_ended(run_id: str) -> bool:
    return any(row.run_id == run_id and row.status in TERMINAL for row in await list_runs())
