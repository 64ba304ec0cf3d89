"""How the help of a command looks: its arguments as one types them, and a word for each value.

Typer names the Python type of a value. Whoever reads help wants to know what to write.
"""

from __future__ import annotations

import re
import shutil
from typing import Any

from typer.core import TyperCommand, TyperGroup

_VALUES = {
    "agent": "NAME", "by": "NAME", "home": "FOLDER", "limit": "N", "log": "FILE", "max_turns": "N",
    "message": "TEXT", "model": "NAME", "older_than": "AGE", "pause": "SECONDS", "port": "N",
    "script": "FILE", "session": "ID", "to": "WHERE", "why": "TEXT",
}  # fmt: skip
"""What stands behind an option; else its own name."""
_WIDEST, _NARROWEST = 80, 30
_TYPE = re.compile(r" <[^>]*>$")
_RANGE = re.compile(r"(?:; )?(?:[\d.]+<=?)?x[<>]=?[\d.]+|(?:; )?required|(?<=\[)default: (?=\])")
_EMPTY = re.compile(r"  \[(?:default: 0(?:\.0)?)?\]$")


class Command(TyperCommand):
    """A command whose help is written for people."""

    def get_help(self, ctx: Any) -> str:
        """The help, as wide as the terminal."""
        return super().get_help(_fitted(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002  # click's
        """`[OPTIONS] RUN [CALL]`: what can be left out stands in brackets."""
        wanted = (each for each in self.params if each.param_type_name == "argument")
        return ["[OPTIONS]", *(_usage(each) for each in wanted)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options, each with the word for its value."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            found = [each for each in self.get_params(ctx) if each.param_type_name == kind]
            rows = [_row(each, record) for each in found if (record := each.get_help_record(ctx))]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Group(TyperGroup):
    """A group that lists its commands in their order, each with its whole first sentence."""

    def get_help(self, ctx: Any) -> str:
        """The help, as wide as the terminal."""
        return super().get_help(_fitted(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # click's
        """The names of the commands, as they were registered."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # click's
        """Write a line for each command, or two where a terminal is narrow."""
        rows = [(name, _sentence(each.help or "")) for name, each in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _fitted(ctx: Any) -> Any:
    """Click writes 50 columns at least, whatever a terminal has."""
    ctx.terminal_width = max(min(shutil.get_terminal_size().columns, _WIDEST), _NARROWEST)
    return ctx


def _usage(argument: Any) -> str:
    name = _name(argument)
    optional = f"[{name}]" if not argument.required else name
    return f"{optional}..." if argument.nargs != 1 else optional


def _name(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


def _row(parameter: Any, record: tuple[str, str]) -> tuple[str, str]:
    left, right = record
    right = _EMPTY.sub("", _RANGE.sub("", right))
    if parameter.param_type_name == "argument":
        return _name(parameter), right
    value = _VALUES.get(parameter.name, parameter.name.upper().replace("_", "-"))
    return _TYPE.sub(f" {value}", left), right


def _sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".") + "."
