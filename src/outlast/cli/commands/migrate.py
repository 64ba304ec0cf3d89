"""`outlast migrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.command import command
from outlast.cli.problem import Missing
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.compat.migrate import migrations, write


@command("""
outlast migrate src --diff         show what would change
outlast migrate src                change it
""")
def migrate(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A Python file, or a folder.")],
    diff: Annotated[
        bool, typer.Option("--diff", help="Show the change, and write nothing.")
    ] = False,
) -> int:
    """Rewrite imports of openai-agents to imports of Outlast.

    Only import lines change. `import agents` becomes `import outlast as agents`, so the code below
    stays as it is. Lines that cannot change are listed: 1 if there are some.
    """
    if not path.exists():
        raise Missing("Not found", f"There is nothing at {str(path)!r}. Name a file or a folder.")
    found = list(migrations(path))
    screen = console()
    for each in found if diff else ():
        for line in each.diff():
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            screen.print(Text(plain(line.rstrip("\n")), style=style), soft_wrap=True)
    if not diff:
        write(found)
    changed = sum(each.changes for each in found)
    left = [(each.path, number, why) for each in found for number, why in each.left]
    for file, number, why in left:
        screen.print(Text(f"stays: {plain(str(file))}:{number} {plain(why)}"), soft_wrap=True)
    word = "would change" if diff else "changed"
    screen.print(Text(f"{changed} {'file' if changed == 1 else 'files'} {word}."))
    return int(bool(left))
