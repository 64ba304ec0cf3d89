"""`outlast answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import AgentPlace, AsJson, By, CallId, WholeRunId, Why, command
from outlast.cli.deciding import Answer, decide


@command("""
outlast answer ticket-12 call_7f3a "the blue one"
outlast answer ticket-12 call_7f3a blue --agent desk.py
""")
def answer(  # noqa: PLR0913  # a command has the options that it has
    run_id: WholeRunId,
    call: CallId,
    text: Annotated[str, typer.Argument(metavar="ANSWER", help="What the tool is told.")],
    by: By = "",
    why: Why = "",
    place: AgentPlace = "",
    as_json: AsJson = False,
) -> int:
    """Answer the question of a tool that waits for it. The tool is called again with the answer."""
    said = Answer(approved=True, by=by, why=why, answer=text)
    return decide(run_id, call, said, place, as_json=as_json)
