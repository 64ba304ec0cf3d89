"""`outlast costs`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from outlast.cli.command import AsJson, check_known, command, finish, known_ids
from outlast.cli.logs import list_runs
from outlast.cli.running import matching_run
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain
from outlast.journal.opening import open_journal
from outlast.run.costs import report_of
from outlast.views.costs import Shares, Spent, UsageReport

_BY = ("run", "agent", "model", "tool")


_COLUMNS = {
    "requests": "requests", "input": "input_tokens", "output": "output_tokens", "calls": "calls",
}  # fmt: skip
"""The counts of a table, and what `Spent` calls them."""


@command("""
outlast costs                       of all runs, by model
outlast costs ticket-12 --by tool
outlast costs --tenant acme --by agent --json
""")
def costs(  # a command has the options that it has
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Only this run: its id, or the start of one.",
            autocompletion=known_ids,
        ),
    ] = "",
    by: Annotated[str, typer.Option(help=f"What to tell apart: {', '.join(_BY)}.")] = "model",
    user: Annotated[str | None, typer.Option(help="Only runs of this user.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only runs of this tenant.")] = None,
    prices: Annotated[str, typer.Option(help="A JSON file with prices of your own.")] = "",
    as_json: AsJson = False,
) -> int:
    """Show what runs have used and cost, those inside them included."""
    check_known("by", by, _BY)
    report = finish(_report(run_id, user, tenant, prices or None))
    if as_json:
        print_json(report.to_json())
        return 0
    shares: Shares = getattr(report, f"by_{by}")
    screen = console()
    screen.print(_table(by, shares, report))
    if report.total.unpriced:
        screen.print(
            Text(
                f"{report.total.unpriced} requests have no known price and are not in the dollars. Give "
                "--prices FILE, or install them: pip install '.[prices]' in a clone of Outlast.",
                style="dim",
            )
        )
    return 0


async def _report(
    run_id: str, user: str | None, tenant: str | None, prices: str | None
) -> UsageReport:
    if run_id:
        ids = [await matching_run(run_id)]
    else:
        found = await list_runs(user=user, tenant=tenant, roots_only=True)
        ids = [each.run_id for each in found]
    report = UsageReport()
    for each in ids:
        report.add(await report_of(open_journal(), each, prices))
    return report


def _table(by: str, shares: Shares, report: UsageReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(by)
    shown = [name for name in _COLUMNS if (by, name) != ("model", "calls")]  # Agents call tools.
    for name in (*shown, "usd"):
        table.add_column(name, justify="right")
    rows: list[tuple[str, Any]] = sorted(
        shares.items(), key=lambda each: (-each[1].nano_usd, -each[1].tokens, each[0])
    )
    for name, spent in [*rows, ("total", report.total)]:
        cells = [f"{getattr(spent, _COLUMNS[column]):,}" for column in shown]
        table.add_row(Text(plain(name)), *cells, _dollars(spent))
    return table


def _dollars(spent: Spent) -> str:
    """What it cost, as far as that is known; in words where nothing of it is."""
    return "not known" if spent.unpriced and not spent.nano_usd else f"{spent.cost_usd:.4f}"
