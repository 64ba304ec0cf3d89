"""`outlast stats`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from outlast.cli.command import AsJson, command, finish
from outlast.cli.logs import list_runs, status_of
from outlast.cli.screen import console, print_json
from outlast.cli.show import duration
from outlast.cli.text import plain
from outlast.journal.opening import open_journal
from outlast.journal.retention import seconds_of
from outlast.replay.counting import Totals, totals_of


@command("""
outlast stats
outlast stats --since 1d
outlast stats --json
""")
def stats(
    since: Annotated[
        str, typer.Option(metavar="AGE", help="Only runs that began so long ago at most: 1h, 7d.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="As many of the newest runs at most.")] = 1000,
    as_json: AsJson = False,
) -> int:
    """Count what runs came to and took: by agent, by model, by tool."""
    age = seconds_of(since) if since else None
    if since and age is None:
        raise typer.BadParameter(f"--since takes an age such as 1h or 7d, got {plain(since)!r}.")
    totals = finish(_totals(age, limit))
    if as_json:
        print_json(totals.as_json())
        return 0
    screen = console()
    for title, columns, rows in totals.tables():
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, justify="left" if column == columns[0] else "right")
        for row in rows:
            table.add_row(
                *(Text(_shown(column, cell)) for column, cell in zip(columns, row, strict=True))
            )
        screen.print(table)
        screen.print()
    return 0


async def _totals(since_s: float | None, limit: int) -> Totals:
    rows = await list_runs(limit=limit)
    statuses = {row.run_id: status_of(row) for row in rows}
    if not rows:
        return Totals()
    return await totals_of(open_journal(), rows, statuses, since_s)


def _shown(column: str, cell: Any) -> str:
    if cell is None:
        return "not known"
    if isinstance(cell, float):
        return f"${cell:.4f}" if column == "cost" else duration(cell)
    return f"{cell:,}" if isinstance(cell, int) else plain(cell)
