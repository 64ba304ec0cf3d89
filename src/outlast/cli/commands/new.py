"""`outlast new`."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.command import check_known, command
from outlast.cli.problem import Missing
from outlast.cli.screen import console
from outlast.cli.text import plain

TEMPLATES = ("hello", "triage", "approvals", "research", "server")


@command("""
outlast new desk
outlast new desk --template approvals
""")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The folder to make.")],
    template: Annotated[
        str, typer.Option(help=f"What to begin with: {', '.join(TEMPLATES)}.")
    ] = "hello",
) -> int:
    """Make a folder with an agent in it that runs without a key."""
    check_known("template", template, TEMPLATES)
    folder = Path(name)
    if folder.exists() and any(folder.iterdir()):
        raise Missing(
            "Taken", f"{plain(name)} is there already, and not empty.", "Name a new folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "agent.py": _text(template),
        "README.md": _text("readme").format(name=folder.resolve().name),
        ".gitignore": ".outlast/\n__pycache__/\n",
    }
    for file, text in texts.items():
        (folder / file).write_text(text, "utf-8")
    console().print(
        Text(f"Made {plain(name)}. Now:  cd {shlex.quote(plain(name))} && outlast dev"),
        soft_wrap=True,
    )
    return 0


def _text(name: str) -> str:
    return files("outlast.cli").joinpath("templates", f"{name}.txt").read_text("utf-8")
