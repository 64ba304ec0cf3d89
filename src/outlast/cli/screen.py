"""The standard streams as the command line writes them.

Whatever a terminal can show is enough: characters that its encoding lacks are drawn with others,
and a pipe that nobody reads any more ends no run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from typing import IO, Any, cast

from rich.console import Console
from rich.text import Text

WIDTH = 80
MOST = 100
"""Columns of a terminal that are used. Lines longer than this are hard to read."""

_ASCII = str.maketrans(
    {
        "✓": "+", "✗": "x", "⏸": "=", "…": "~", "━": "-", "─": "-", "→": ">", "·": "-", "│": "|",
        "├": "|", "└": "`", "╭": "+", "╮": "+", "╰": "+", "╯": "+",
    }
)  # fmt: skip


class Screen:
    """A text stream that can be written to whatever its encoding, and after its reader has gone."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what the stream can hold of ``text``, and spell out the rest."""
        if self._stream is None:
            return len(text)
        try:
            self._stream.write(encodable(text, self.encoding))
        except BrokenPipeError:
            self._let_go()
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except BrokenPipeError:
            self._let_go()

    @property
    def encoding(self) -> str:
        """Rich asks for it, and draws with ASCII where it is not UTF-8."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def _let_go(self) -> None:
        """Write to nobody from now on, and do not fail when the interpreter flushes at its end."""
        number = self.fileno()
        self._stream = None
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, number)
        os.close(nobody)

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """The number of the file below."""
        return self._stream.fileno() if self._stream is not None else -1


class _Beside(Screen):
    """Standard output while something else is to be read there: it goes to standard error, dimmed.

    Whoever keeps it, as a log handler does, writes to standard output again afterwards.
    """

    def __init__(self, stream: IO[str] | None, title: str) -> None:
        super().__init__(stream)
        self._title, self._kept, self.is_aside = title, stream, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept, name)

    def write(self, text: str) -> int:
        if not self.is_aside:
            return super().write(text)
        title, self._title = self._title, ""
        screen = console(stderr=True)
        if title:
            screen.print(Text(title, style="dim"), soft_wrap=True)
        screen.print(Text(text, style="dim"), end="", soft_wrap=True)
        return len(text)


@contextmanager
def beside(title: str) -> Generator[None]:
    """Show what is printed meanwhile on standard error, below ``title``."""
    stream = _Beside(sys.stdout, title)
    try:
        with redirect_stdout(cast("IO[str]", stream)):
            yield
    finally:
        stream.is_aside = False


def encodable(text: str, encoding: str) -> str:
    """``text`` in characters of ``encoding``: drawings have a stand-in, the rest is spelled out."""
    try:
        # The stream's own way with the rest may be question marks.
        text.encode(encoding)
    except UnicodeEncodeError:
        drawn = text.translate(_ASCII)
        return drawn.encode(encoding, "backslashreplace").decode(encoding)
    return text


def print_json(value: Any) -> None:
    """Print ``value`` for another program: JSON in ASCII, which no terminal is driven by."""
    screen = Screen(sys.stdout)
    screen.write(json.dumps(value, indent=2, default=str) + "\n")
    screen.flush()


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console of 80 columns or, on a terminal, at most 100; colours only where they are read."""
    stream: Any = Screen(sys.stderr if stderr else sys.stdout)
    wanted = Console(file=stream, highlight=False, emoji=False, markup=False)
    is_known = wanted.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    width = max(min(wanted.width, MOST), 20) if is_known else WIDTH
    return Console(
        file=stream, highlight=False, emoji=False, markup=False, width=width, quiet=quiet
    )
