"""`outlast prune`."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from outlast.cli.command import AsJson, command, finish
from outlast.cli.logs import journal_file
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain, short
from outlast.journal import TERMINAL, MemoryJournal, Pruned, SqliteJournal, open_journal
from outlast.journal.retention import Retention, retention_of, seconds_of


@command("""
outlast prune --older-than 30d --dry-run
outlast prune --older-than 30d
outlast prune --older-than 30d --keep-failed
outlast prune --older-than 0s --user ada
""")
def prune(  # noqa: PLR0913  # a command has the options that it has
    older_than: Annotated[
        str,
        typer.Option(
            help="Not changed for so long: 45m, 12h, 30d, 8w. Else as OUTLAST_RETENTION says."
        ),
    ] = "",
    status: Annotated[
        str, typer.Option(help="Only these: completed, failed, cancelled; or with --force any.")
    ] = "",
    user: Annotated[str, typer.Option(help="Only runs of this user.")] = "",
    keep_failed: Annotated[
        bool, typer.Option("--keep-failed", help="No runs that failed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Runs that have not ended, too.")] = False,
    as_json: AsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")
    ] = False,
) -> int:
    """Delete runs that are over, and make the journal smaller.

    The runs inside them go, too.
    """
    age_s, statuses = _kept(older_than)
    if status or force:
        statuses = _statuses(status, force=force)
    statuses -= {"failed"} if keep_failed else set()
    file = journal_file()
    if file is None or not file.exists():
        if as_json:
            print_json(_facts(Pruned((), 0, 0)))
            return 0
        console().print("No runs here, so nothing to delete.")
        return 0
    gone = finish(_pruned(age_s, statuses, user, dry_run=dry_run))
    if as_json:
        print_json(_facts(gone))
    else:
        _say(gone, dry_run=dry_run)
    return 0


def _facts(gone: Pruned) -> dict[str, Any]:
    children, freed = gone.children, gone.freed_bytes
    return {"run_ids": list(gone.run_ids), "children": children, "freed_bytes": freed}


async def _pruned(age_s: float, statuses: frozenset[str], user: str, *, dry_run: bool) -> Pruned:
    journal = open_journal()
    assert isinstance(journal, SqliteJournal | MemoryJournal)
    return await journal.prune(
        older_than_s=age_s, statuses=statuses, dry_run=dry_run, user=user or None
    )


def _say(gone: Pruned, *, dry_run: bool) -> None:
    screen = console()
    for run_id in gone.run_ids[:20] if dry_run else ():
        screen.print(plain(short(run_id, 32)), markup=False, highlight=False)
    if len(gone.run_ids) > 20 and dry_run:  # noqa: PLR2004  # as many as a screen shows
        screen.print(f"and {len(gone.run_ids) - 20} more", highlight=False)
    inside = f" and {gone.children} inside them" if gone.children else ""
    what = f"{len(gone.run_ids)} runs{inside}"
    if dry_run:
        screen.print(f"Would delete {what}.", highlight=False)
    else:
        freed = f"{gone.freed_bytes / 1e6:.1f} MB"
        screen.print(f"Deleted {what}; the journal is {freed} smaller.", highlight=False)


def _kept(older_than: str) -> Retention:
    """How old a run has to be, and of which status: as the options say, or the environment."""
    if older_than:
        age_s = seconds_of(older_than)
        if age_s is not None:
            return Retention(age_s)
        why = f"{older_than!r} is no age."
    elif keeps := os.environ.get("OUTLAST_RETENTION"):
        return retention_of(keeps)
    else:
        why = "How old?"
    raise typer.BadParameter(
        f"{why} Say a number and a unit (s, m, h, d, w), as in 30d.", param_hint="--older-than"
    )


def _statuses(text: str, *, force: bool) -> frozenset[str]:
    known = TERMINAL | {"running", "waiting", "paused", "abandoned"} if force else TERMINAL
    wanted = frozenset(text.replace(",", " ").split()) or known
    if wanted <= known:
        return wanted
    more = "" if force else "; open runs only with --force"
    raise typer.BadParameter(
        f"{text!r} is not among {', '.join(sorted(known))}{more}.", param_hint="--status"
    )
