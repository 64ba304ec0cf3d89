"""`outlast runs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from outlast.cli.command import AsJson, Full, Limit, check_known, command, finish
from outlast.cli.logs import (
    find_runs,
    journal_place,
    known_agents,
    list_runs,
    read_run,
    status_of,
    with_namesakes,
)
from outlast.cli.screen import console, print_json
from outlast.cli.show import STATUS_STYLES, duration
from outlast.cli.text import plain, short, short_ids
from outlast.definitions.clock import wall_s
from outlast.journal.journal import RunFilter, RunSummary
from outlast.views.status import STATUSES


@command("""
outlast runs
outlast runs --status waiting --limit 5
outlast runs --user ada --tag vip --json
""")
def runs(  # noqa: PLR0913  # a command has the options that it has
    status: Annotated[str, typer.Option(help=f"Only these: {', '.join(STATUSES)}.")] = "",
    agent: Annotated[str, typer.Option(help="Only runs that began with this agent.")] = "",
    user: Annotated[str | None, typer.Option(help="Only runs of this user.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only runs of this tenant.")] = None,
    session: Annotated[str | None, typer.Option(help="Only runs of this conversation.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    limit: Limit = 30,
    full: Full = False,
    as_json: AsJson = False,
) -> int:
    """List the runs of the journal, the newest first."""
    if status:
        check_known("status", status, STATUSES)
    if agent and not finish(list_runs(agent=agent, limit=1)):
        check_known("agent", agent, finish(known_agents()) or {agent})
    which: RunFilter = {
        "user": user,
        "tenant": tenant,
        "session_id": session,
        "tag": tag,
        "agent": agent or None,
        "roots_only": True,
    }
    found = finish(find_runs(status, limit + _COUNTED if limit else None, **which))
    shown = found[:limit] if limit else found
    if as_json:
        print_json([_facts(row) for row in shown])
        return 0
    screen = console()
    if not found:
        screen.print(Text(f"No such runs in {plain(journal_place())}."), soft_wrap=True)
        if not finish(list_runs(limit=1)):
            screen.print("Start one with: outlast demo")
        return 0
    screen.print(_table(shown, is_full=full, is_narrow=screen.width < _NARROW))
    if len(shown) < len(found):
        left = len(found) - len(shown)
        least = "at least " if left == _COUNTED else ""
        screen.print(Text(f"{least}{left} more: --limit 0", style="dim"))
    return 0


_NARROW = 60
_COUNTED = 1000
"""As many of those that are not shown are counted."""


def _table(shown: Sequence[RunSummary], *, is_full: bool, is_narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    names = ("run", "agent", "status", "updated") if is_narrow else _COLUMNS
    for name in names:
        folds = "fold" if is_full else "ellipsis"
        table.add_column(
            name,
            justify="right" if name == "events" else "left",
            no_wrap=not is_full,
            overflow=folds,
            min_width=8 if name == "run" else None,
        )
    ids, now = short_ids(finish(with_namesakes(row.run_id for row in shown))), wall_s()
    for row in shown:
        age = duration(now - row.updated_at)
        cells = {
            "run": Text(plain(row.run_id) if is_full else short(ids[row.run_id], 32)),
            "agent": Text(plain(row.agent) if is_full else short(row.agent, 16)),
            "status": _status(row, now),
            "events": Text(str(row.events)),
            "updated": Text(age if is_narrow else f"{age} ago"),
        }
        table.add_row(*(cells[name] for name in names))
    return table


_COLUMNS = ("run", "agent", "status", "events", "updated")


def _status(row: RunSummary, now: float) -> Text:
    word = status_of(row)
    if word == "parked":
        left = finish(read_run(row.run_id))[0].retry_at - now
        word = f"parked, {duration(left)}" if left > 0 else "parked, due"
    return Text(plain(word), style=STATUS_STYLES.get(status_of(row), ""))


def _facts(row: RunSummary) -> dict[str, Any]:
    facts = {**row._asdict(), "status": status_of(row)}
    facts["metadata"] = msgspec.to_builtins(row.metadata)
    return facts
