"""`outlast dev`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import command
from outlast.cli.developing import develop


@command("""
outlast dev                    the file in this folder that has an agent
outlast dev desk.py --no-open
""")
def dev(
    place: Annotated[str, typer.Argument(metavar="FILE[:APP]", help="An App, or an Agent.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8400,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    again: Annotated[
        bool, typer.Option("--again", hidden=True, help="After a change of the file.")
    ] = False,
) -> int:
    """Talk with an agent in the browser, and serve it again whenever its file changes.

    Without a key, a stand-in plays the model.
    """
    return develop(place, port, opens=not no_open, again=again)
