"""`outlast restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.command import command
from outlast.cli.logs import named_journal
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.journal.backup import restore as put_back


@command("""
outlast restore runs-2026-11-30.tar.gz
OUTLAST_HOME=/data outlast restore runs-2026-11-30.tar.gz
""")
def restore(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="What backup has written.")],
) -> int:
    """Put a backup where there is no journal. Runs that had not ended go on from there."""
    journal = named_journal()
    names = put_back(archive, journal)
    console().print(
        f"{', '.join(names)} restored to {plain(str(journal.absolute().parent))}.", soft_wrap=True
    )
    return 0
