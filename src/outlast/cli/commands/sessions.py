"""`outlast sessions`."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from outlast.cli.command import AsJson, Full, Limit, command, finish
from outlast.cli.problem import Missing
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain, short
from outlast.core.errors import UserError
from outlast.core.missing import NoSuchThing
from outlast.sessions.archive import SERVED, Found, SessionFile, exported, imported
from outlast.sessions.sqlite import SQLiteSession

SessionPath = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="The SQLite file that conversations are in.")
]
_WIDTH = 100


@command("""
outlast sessions                      those of this folder's server
outlast sessions conversations.db
outlast sessions conversations.db --search "refund cello"
outlast sessions conversations.db --session ada --export > ada.jsonl
outlast sessions other.db --session ada --import ada.jsonl
""")
def sessions(  # noqa: PLR0913  # a command has the options that it has
    file: SessionPath = None,
    session: Annotated[str | None, typer.Option(help="Only this conversation.")] = None,
    search: Annotated[str, typer.Option(help="Items that have all of these words.")] = "",
    export: Annotated[
        bool, typer.Option("--export", help="Write its items as lines of JSON.")
    ] = False,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="LINES", help="Add the items of an export.")
    ] = None,
    limit: Limit = 30,
    full: Full = False,
    as_json: AsJson = False,
) -> int:
    """List the conversations of a file, search them, or write or add one as JSON lines.

    `--export` writes the items of a conversation, `--import` adds those of such a file to one.
    """
    file = file or _served()
    if import_ is not None:
        if not import_.is_file():
            raise NoSuchThing(f"There is no file {str(import_)!r}. Name what --export has written.")
        count = finish(imported(_opened(file, session), import_.read_text("utf-8").split("\n")))
        console().print(f"Added {count} items.", highlight=False)
        return 0
    archive = SessionFile(file)
    if session is not None:
        _require(archive, session)
    if export:
        for line in finish(exported(_opened(file, session))):
            sys.stdout.write(line + "\n")
        return 0
    if search:
        found = archive.search(search, session_id=session, limit=limit or -1)
        return _say_found(found, full=full, as_json=as_json)
    rows = [each for each in archive.conversations() if session in (None, each.session_id)]
    rows = rows[:limit] if limit else rows
    if as_json:
        print_json([each._asdict() for each in rows])
        return 0
    table = Table("session", "items", "changed", box=None, pad_edge=False)
    for each in rows:
        name = plain(each.session_id)
        table.add_row(name if full else short(name, _WIDTH), str(each.items), each.updated_at)
    console().print(table)
    return 0


def _served() -> Path:
    """The file that a server of this folder keeps conversations in.

    Raises:
        Missing: The server is elsewhere.
    """
    place = os.environ.get("OUTLAST_JOURNAL", "")
    if place.startswith(("http://", "https://")):
        raise Missing(
            "On the server",
            "Conversations of a server are not listed from here.",
            f"Ask it: GET {plain(place.rstrip('/'))}/api/v1/sessions",
            "On its machine, in the folder that it serves from: outlast sessions",
        )
    is_file = place not in ("", "memory", "off") and "://" not in place
    home = Path(os.environ.get("OUTLAST_HOME") or ".outlast")
    return (Path(place).parent if is_file else home) / SERVED


def _require(archive: SessionFile, session: str) -> None:
    known = [each.session_id for each in archive.conversations()]
    if session not in known:
        near = difflib.get_close_matches(session, known, 1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise NoSuchThing(
            f"There is no conversation {session!r} in {str(archive.path)!r}.{meant} "
            "Without --session, all of them are listed."
        )


def _opened(file: Path, session: str | None) -> SQLiteSession:
    if session is None:
        raise UserError("Which conversation? Name it with --session.")
    return SQLiteSession(session, file)


def _say_found(found: list[Found], *, full: bool, as_json: bool) -> int:
    if as_json:
        print_json([each._asdict() for each in found])
        return 0
    if not found:
        console().print("Nothing has all of these words.")
    for each in found:
        text = " ".join(plain(each.text).split())
        console().print(
            f"{plain(each.session_id)} #{each.number}  {text if full else short(text, _WIDTH)}",
            markup=False,
            highlight=False,
        )
    return 0
