"""`outlast export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.command import RunId, command, finish
from outlast.cli.running import matching_run
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.replay import export_pytest


@command("""
outlast export order-17 --pytest desk:agent
outlast export order-17 --pytest desk:agent --into tests/recorded
""")
def export(
    run_id: RunId,
    program: Annotated[
        str,
        typer.Option("--pytest", metavar="MODULE:AGENT", help="The agent, as a test imports it."),
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="The folder to write into.")
    ] = Path(),
) -> int:
    """Write a test that replays a run, with its recording. Look at the recording before you commit it."""
    found = finish(matching_run(run_id))
    test = finish(export_pytest(found, into, program))
    console().print(Text(f"Wrote {plain(test)} and its recording."), soft_wrap=True)
    return 0
