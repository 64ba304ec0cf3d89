"""`outlast topup`."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from outlast.cli.command import By, WholeRunId, Why, check_known, command, finish
from outlast.cli.problem import Missing
from outlast.cli.running import account, say, whole_run
from outlast.cli.text import plain
from outlast.run.control import top_up
from outlast.views.words import command_line

_PER = ("run", "agent", "user", "tenant", "journal")


@command("""
outlast topup ticket-12 --usd 0.50
outlast topup ticket-12 --tokens 20000 --per tenant --why "end of the month"
""")
def topup(  # noqa: PLR0913  # a command has the options that it has
    run_id: WholeRunId,
    usd: Annotated[float, typer.Option(help="So many dollars more.")] = 0.0,
    tokens: Annotated[int, typer.Option(help="So many tokens more.")] = 0,
    requests: Annotated[int, typer.Option(help="So many model calls more.")] = 0,
    calls: Annotated[int, typer.Option(help="So many calls of tools more.")] = 0,
    seconds: Annotated[float, typer.Option(help="So many seconds more.")] = 0.0,
    per: Annotated[str, typer.Option(help=f"Whose budget: {', '.join(_PER)}.")] = "run",
    by: By = "",
    why: Why = "",
) -> int:
    """Add to a run's budget; one that has failed for it goes on when it is resumed."""
    check_known("per", per, _PER)
    amounts = (usd, tokens, requests, calls, seconds)
    if not any(amounts) or not all(0 <= each < math.inf for each in amounts):
        raise Missing(
            "Usage",
            "outlast topup adds to a budget: give it an amount above 0.",
            "--usd, --tokens, --requests, --calls or --seconds",
            plain(command_line("topup", run_id, options="--usd 0.50")),
        )
    run_id = finish(whole_run(run_id))
    finish(
        top_up(
            run_id,
            tokens=tokens,
            requests=requests,
            tool_calls=calls,
            cost_usd=usd,
            seconds=seconds,
            per=per,  # pyright: ignore[reportArgumentType]  # one of the words above
            by=by or account(),
            why=why,
        )
    )
    say("topped up", run_id)
    return 0
