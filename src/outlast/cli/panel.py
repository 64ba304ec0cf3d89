"""A framed message on the error stream, of eight lines at most however narrow the screen is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.text import Text

from outlast.cli.problem import Problem
from outlast.cli.screen import console
from outlast.cli.text import lines, plain

if TYPE_CHECKING:
    from rich.console import Console

_ROOM = 6
"""Lines between the borders."""
_TEXT_MAX = 4_000
"""Characters of an error that are looked at: more than six lines of any screen."""


def panel(problem: Problem) -> None:
    """What happened, where, what to do: the last two are kept when there is not room for all."""
    screen = console(stderr=True)
    text = Text("\n").join(_fitted(screen, problem, screen.width - 4))
    title = Text(plain(problem.title))
    screen.print(Panel(text, title=title, title_align="left", border_style="red"))


def print_lines(text: str) -> None:
    """A longer text on the error stream, as it is but for what would drive the terminal."""
    screen = console(stderr=True)
    for line in lines(text):
        screen.print(Text(line), soft_wrap=True)


def _fitted(screen: Console, problem: Problem, width: int) -> list[Text]:
    where = _wrapped(screen, f"at {problem.where}", width)[:2] if problem.where else []
    room = _ROOM - len(where)
    fix = [line for each in problem.fix for line in _wrapped(screen, each, width)]
    what = [
        line
        for each in problem.what[:_TEXT_MAX].split("\n")
        if each.strip()
        for line in _wrapped(screen, each, width)
    ]
    fix = fix[: max(room - min(len(what), 2), 1)]
    kept = what[: room - len(fix)]
    if len(kept) < len(what):
        kept[-1].truncate(width - 1)
        kept[-1].append("…")
    return [*kept, *where, *fix]


def _wrapped(screen: Console, text: str, width: int) -> list[Text]:
    return list(Text(plain(text)).wrap(screen, width, overflow="fold"))
