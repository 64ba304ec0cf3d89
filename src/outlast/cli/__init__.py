"""The command line: `outlast demo | run | runs | show | resume | doctor`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

_MODULES = {"eval": "evaluating"}
"""Commands whose module has another name."""


def main() -> None:
    """Run the command line; the entry point of the `outlast` script."""
    app_for(sys.argv[1:])()  # typer and rich load only when they are needed


def app_for(words: Sequence[str]) -> Any:
    """The command line, with the command that the words name, or with all where they name none.

    Every command has what it needs at the top of its module; together that takes half a second.
    """
    name = _first(words)
    module = module_of(name)
    if not (name.isalpha() and importlib.util.find_spec(module)):
        return importlib.import_module("outlast.cli.app").app
    importlib.import_module(module)
    return importlib.import_module("outlast.cli.command").app


def module_of(name: str) -> str:
    """Where a command of that name is, if there is one."""
    return f"outlast.cli.commands.{_MODULES.get(name, name)}"


def _first(words: Sequence[str]) -> str:
    """The first word that is no option of the command line itself."""
    rest = iter(words)
    for word in rest:
        if word == "--server":
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""
