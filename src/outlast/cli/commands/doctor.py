"""`outlast doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from outlast.cli.check import Check
from outlast.cli.command import AsJson, command, finish
from outlast.cli.conversations import conversations
from outlast.cli.doctor import examine, forget_health
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain


@command("""
outlast doctor
outlast doctor --live         ask the provider whether it takes the key
outlast doctor --reset        ask models again that had failed too often
outlast doctor --sessions conversations.db --mend
""")
def doctor(
    reset: Annotated[
        bool, typer.Option("--reset", help="Ask models again that had failed too often.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the provider for its list of models; that costs nothing."),
    ] = False,
    sessions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Look for conversations that a provider would refuse."),
    ] = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Take out of them what it would refuse.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check what runs need: the journal, a key, models that answer."""
    if mend and sessions is None:
        raise typer.BadParameter(
            "--mend goes with --sessions FILE: it takes items out of that file."
        )
    if reset:
        known = finish(forget_health())
        if not as_json:
            console().print(f"Forgot the circuits and counts of {known} models.")
    checks = finish(examine(live=live))
    if sessions is not None:
        checks += finish(conversations(sessions, mends=mend))
    if as_json:
        print_json([check._asdict() for check in checks])
        return _status(checks)
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        style, mark = _VERDICTS[check.verdict]
        table.add_row(Text(mark, style=style), Text(check.name), Text(plain(check.found)))
    console().print(table)
    return _status(checks)


def _status(checks: Sequence[Check]) -> int:
    return 1 if any(check.verdict == "bad" for check in checks) else 0


_VERDICTS: dict[str, tuple[str, str]] = {
    "good": ("green", "✓"),
    "note": ("yellow", "!"),
    "bad": ("red", "✗"),
}
