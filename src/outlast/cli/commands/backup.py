"""`outlast backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.command import command
from outlast.cli.logs import named_journal
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.journal.backup import back_up


@command("""
outlast backup runs-2026-11-30.tar.gz
""")
def backup(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The file to write.")],
) -> int:
    """Copy the journal, and what a server keeps beside it, while they are in use."""
    names = back_up(named_journal(), archive)
    console().print(f"{plain(str(archive))} has {', '.join(names)}.", soft_wrap=True)
    return 0
