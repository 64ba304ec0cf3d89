"""`outlast provider`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.command import command, finish
from outlast.cli.provider import Serving, list_faults, serve


@command("""
outlast provider                   answers like the offline model
outlast provider --script steps.json --port 8080
outlast provider --faults          lists how it can fail
""")
def provider(  # noqa: PLR0913 (a command has the options that it has)
    script: Annotated[
        Path | None, typer.Option(help="A JSON file of steps to answer from.")
    ] = None,
    model: Annotated[str, typer.Option(help="Without a script: offline, or demo.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where; 0 takes a free one.")] = 0,
    log: Annotated[Path | None, typer.Option(help="Add a line of JSON for each request.")] = None,
    stateless: Annotated[
        bool, typer.Option("--stateless", help="Choose a step by the conversation's turn.")
    ] = False,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two events.")] = 0.0,
    faults: Annotated[
        bool, typer.Option("--faults", help="List how it can fail, and end.")
    ] = False,
) -> int:
    """Serve a fake OpenAI on this machine, for programs under test."""
    if faults:
        return list_faults()
    return finish(serve(Serving(script, model, port, log, stateless, pause)))
