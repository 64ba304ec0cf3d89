"""`outlast --server URL ...`: the runs of a server in place of a journal of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from outlast.journal.opening import place_journal


def use_server(url: str) -> None:
    """Have every command of this process look at the runs of a server."""
    from outlast.client import ServerJournal

    place_journal(url, ServerJournal(url, _key_for(url)))
    os.environ["OUTLAST_JOURNAL"] = url


def _key_for(url: str) -> str:
    """The environment's key; else, of a server on this machine, the token in the journal's folder."""
    named = os.environ.get("OUTLAST_SERVER_KEY", "")
    token = Path(os.environ.get("OUTLAST_HOME", ".outlast")) / "server.token"
    is_here = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    return (
        named if named or not is_here or not token.is_file() else token.read_text("utf-8").strip()
    )
