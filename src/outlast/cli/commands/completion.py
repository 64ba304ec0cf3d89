"""`outlast completion`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]  # the other module is private

from outlast.cli.command import command
from outlast.cli.screen import Screen

_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


@command("""
source <(outlast completion bash)  completes in this shell
outlast completion bash >> ~/.bash_completion
outlast completion fish > ~/.config/fish/completions/outlast.fish
""")
def completion(
    shell: Annotated[
        str, typer.Argument(metavar="SHELL", help=f"Yours, or one of {', '.join(_SHELLS)}.")
    ] = "",
) -> int:
    """Print what makes a shell complete commands and ids of runs."""
    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in _SHELLS:
        raise typer.BadParameter(f"Name a shell, not {shell!r}: {', '.join(_SHELLS)}.")
    script = get_completion_script(
        prog_name="outlast", complete_var="_OUTLAST_COMPLETE", shell=shell
    )
    screen = Screen(sys.stdout)
    screen.write(f"{script}\n")
    screen.flush()
    return 0
