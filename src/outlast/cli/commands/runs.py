"""`outlast runs`."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from outlast.cli.command import command, finish
from outlast.cli.logs import is_cut_off, list_runs, read_run
from outlast.cli.screen import console
from outlast.cli.show import duration
from outlast.cli.text import plain, short
from outlast.journal.journal import MetadataFilter


@command("""
outlast runs
outlast runs --user ada --tag vip
""")
def runs(
    status: Annotated[str, typer.Option(help="Only these: running, waiting, completed, …")] = "",
    user: Annotated[str | None, typer.Option(help="Only runs of this user.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only runs of this tenant.")] = None,
    session: Annotated[str | None, typer.Option(help="Only runs of this conversation.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
) -> int:
    """List the runs of this directory's journal, the newest first."""
    whose: MetadataFilter = {"user": user, "tenant": tenant, "session_id": session, "tag": tag}
    found = [row for row in finish(list_runs(status or None, **whose)) if not row.parent]
    screen = console()
    if not found:
        screen.print("No runs here yet. Start one with: outlast demo")
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "agent", "status", "events", "updated"):
        table.add_column(name, justify="right" if name == "events" else "left", no_wrap=True)
    now = time.time()
    for row in found:
        state = Text("interrupted", "yellow") if is_cut_off(row) else Text(plain(row.status))
        if row.status == "parked":
            left = finish(read_run(row.run_id))[0].retry_at - now
            state = Text(f"parked, {duration(left)}" if left > 0 else "parked, due", "yellow")
        age = f"{duration(now - row.updated_at)} ago"
        cells = (short(row.run_id, 32), short(row.agent, 16))
        table.add_row(*map(Text, cells), state, str(row.events), age)
    screen.print(table)
    return 0
