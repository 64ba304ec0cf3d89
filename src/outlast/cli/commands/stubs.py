"""`outlast stubs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.command import command
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.compat.stubs import write_stubs


@command("""
outlast stubs             into typings/, where Pyright and Pylance look
outlast stubs stubs       elsewhere: mypy_path=stubs, extraPaths
""")
def stubs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write.")] = Path(
        "typings"
    ),
) -> int:
    """Write files from which an editor learns what `import agents` is."""
    files = write_stubs(folder)
    console().print(
        Text(f"Wrote {len(files)} modules of `agents` to {plain(str(folder / 'agents'))}.")
    )
    return 0
