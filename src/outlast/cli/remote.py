"""`outlast --server URL ...`: the runs of a server in place of a journal of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import typer

from outlast.core.errors import UserError
from outlast.journal.opening import place_journal


def use_server(url: str) -> None:
    """Have every command of this process look at the runs of a server.

    Raises:
        typer.BadParameter: It is no URL.
    """
    from outlast.client import ServerJournal
    from outlast.client.client import check_address

    try:
        check_address("--server", url)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None
    place_journal(url, ServerJournal(url, _key_for(url)))
    os.environ["OUTLAST_JOURNAL"] = url


def server_url() -> str:
    """The server that `--server` has named; empty where runs are in a journal."""
    named = os.environ.get("OUTLAST_JOURNAL", "")
    return named if named.lower().startswith(("http://", "https://")) else ""


def _key_for(url: str) -> str:
    """The environment's key; else, of a server on this machine, the token in the journal's folder."""
    named = os.environ.get("OUTLAST_SERVER_KEY", "")
    token = Path(os.environ.get("OUTLAST_HOME", ".outlast")) / "server.token"
    is_here = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    return (
        named if named or not is_here or not token.is_file() else token.read_text("utf-8").strip()
    )
