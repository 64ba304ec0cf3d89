"""A framed message on the error stream, of eight lines at most."""

from __future__ import annotations

from rich.panel import Panel
from rich.text import Text

from outlast.cli.show import console
from outlast.cli.text import plain

_LINE_MAX = 400
"""Characters of a line in a panel: six lines of the screen."""


def panel(title: str, *lines: str) -> None:
    """At most eight lines on the error stream, borders included."""
    text = Text("\n".join(plain(line)[:_LINE_MAX] for line in lines[:6]))
    console(stderr=True).print(Panel(text, title=title, title_align="left", border_style="red"))
