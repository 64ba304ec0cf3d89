"""`outlast send`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import By, WholeRunId, command, finish
from outlast.cli.running import account, say, whole_run
from outlast.run.control import send as tell


@command("""
outlast send ticket-12 "The customer wants a voucher instead."
""")
def send(
    run_id: WholeRunId,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What the model is to hear.")],
    by: By = "",
) -> int:
    """Let a run hear something more, at its next model call."""
    run_id = finish(whole_run(run_id))
    finish(tell(run_id, message, by=by or account()))
    say("sent to", run_id)
    return 0
