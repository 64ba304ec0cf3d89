"""`outlast diff`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.command import AsJson, RunId, command, finish
from outlast.cli.running import matching_run
from outlast.cli.screen import console, print_json
from outlast.cli.text import lines
from outlast.replay import diff as differences


@command("""
outlast diff order-17 order-17-fork
outlast diff order-17 order-18 --json
""")
def diff(
    first: RunId,
    second: Annotated[str, typer.Argument(metavar="RUN", help="Another run.")],
    as_json: AsJson = False,
) -> int:
    """Show in what two runs differ: output, steps, tokens, cost. The status is 1 where they do."""
    one, other = finish(matching_run(first)), finish(matching_run(second))
    found = finish(differences(one, other))
    if as_json:
        print_json({**asdict(found), "is_same": found.is_same})
        return 0 if found.is_same else 1
    screen = console()
    for line in lines(str(found)):
        style = {"-": "red", "+": "green", "@": "dim"}.get(line.strip()[:1], "")
        screen.print(Text(line, style=style), soft_wrap=True)
    return 0 if found.is_same else 1
