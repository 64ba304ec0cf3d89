"""`outlast graph`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from outlast.cli.command import command
from outlast.cli.program import load_program
from outlast.cli.screen import Screen, console
from outlast.cli.text import plain
from outlast.extras.graph_mermaid import mermaid
from outlast.extras.graph_svg import svg
from outlast.extras.visualization import get_main_graph


@command("""
outlast graph desk.py                  Mermaid, as text
outlast graph desk.py:triage --svg     a picture, on standard output
outlast graph desk.py -o desk.svg      a picture, in a file; or .mmd, .dot
""")
def graph(
    place: Annotated[
        str, typer.Argument(metavar="FILE[:AGENT]", help="A Python file that makes an agent.")
    ],
    as_svg: Annotated[bool, typer.Option("--svg", help="As a picture.")] = False,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="As Mermaid: the default.")] = False,
    as_dot: Annotated[bool, typer.Option("--dot", help="In Graphviz' language.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file.")
    ] = None,
) -> int:
    """Draw an agent, what it may use, and whom it hands over to. Runs the file, and no agent."""
    wanted = [
        name for name, flag in (("svg", as_svg), ("mmd", as_mermaid), ("dot", as_dot)) if flag
    ]
    if len(wanted) > 1:
        raise typer.BadParameter("Say one of --svg, --mermaid and --dot.")
    ending = output.suffix.removeprefix(".") if output else ""
    form = wanted[0] if wanted else ending or "mmd"
    if form not in _FORMS:
        raise typer.BadParameter(f"There is no form {form!r}: name a file .svg, .mmd or .dot.")
    text = _FORMS[form](load_program(place).agent).strip() + "\n"
    if output is None:
        screen = Screen(sys.stdout)
        screen.write(text)
        screen.flush()
        return 0
    output.write_text(text, encoding="utf-8")
    console().print(Text(f"Wrote {plain(str(output))}."))
    return 0


_FORMS: dict[str, Callable[[Any], str]] = {"svg": svg, "mmd": mermaid, "dot": get_main_graph}
