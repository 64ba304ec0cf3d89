"""`outlast cancel`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import By, WholeRunId, Why, command, finish
from outlast.cli.running import account, say, whole_run
from outlast.run.control import cancel as end


@command("""
outlast cancel ticket-12
outlast cancel ticket-12 --why "ordered twice"
outlast cancel ticket-12 --after-turn
""")
def cancel(
    run_id: WholeRunId,
    after_turn: Annotated[
        bool, typer.Option("--after-turn", help="Let the turn in progress end first.")
    ] = False,
    by: By = "",
    why: Why = "",
) -> int:
    """End a run, whoever performs it.

    It may also be one that waits, was interrupted, or has failed.
    """
    run_id = finish(whole_run(run_id))
    finish(
        end(
            run_id,
            mode="after_turn" if after_turn else "immediate",
            by=by or account(),
            why=why,
        )
    )
    say("cancelled after its turn" if after_turn else "cancelled", run_id)
    return 0
