"""`outlast forget`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.command import AsJson, command, finish
from outlast.cli.forgetting import Gone, forget_all
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain


@command("""
outlast forget --session customer-17 --in conversations.db
outlast forget --user ada --in conversations.db --memory memory.db --dry-run
""")
def forget(  # a command has the options that it has
    user: Annotated[str | None, typer.Option(help="Whose runs and facts.")] = None,
    session: Annotated[str | None, typer.Option(help="The conversation.")] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--in", metavar="FILE", help="A file with conversations; may come again."),
    ] = None,
    memory: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file of a long-term memory.")
    ] = None,
    as_json: AsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")
    ] = False,
) -> int:
    """Delete what is kept of a user or of a conversation: runs, their blobs, items, facts."""
    if user is None and session is None:
        raise typer.BadParameter("Whom or what? Say --user or --session.")
    gone = finish(
        forget_all(user=user, session=session, files=files or [], memory=memory, dry_run=dry_run)
    )
    if as_json:
        print_json(gone._asdict())
    else:
        _say(gone, dry_run=dry_run)
    return 1 if gone.held else 0


def _say(gone: Gone, *, dry_run: bool) -> None:
    done = "Would delete" if dry_run else "Deleted"
    console().print(
        f"{done} {len(gone.runs)} runs, {gone.items} items of conversations and {gone.facts} facts.",
        highlight=False,
    )
    if gone.held:
        held = ", ".join(map(plain, gone.held))
        console().print(f"Still there, as processes perform them: {held}", highlight=False)
    if gone.shared:
        shared = ", ".join(map(plain, gone.shared))
        console().print(
            f"Still there, as runs of others have them too: {shared}. Delete them with --session.",
            highlight=False,
        )
