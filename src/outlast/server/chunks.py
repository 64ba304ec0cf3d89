"""Text in flight that another process asks for: rows in a file of their own, gone with the reply.

A process writes only what somebody elsewhere has said that they read, and no oftener than they look. What
is here is a courtesy, as all text in flight: the log has the truth.
"""

from __future__ import annotations

from collections.abc import Collection

from outlast.definitions.clock import wall_s
from outlast.server.database import Database

CHUNKS = """
CREATE TABLE IF NOT EXISTS reader (run_id TEXT NOT NULL PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS draft (
    run_id TEXT NOT NULL PRIMARY KEY, effect TEXT NOT NULL, attempt INTEGER NOT NULL, text TEXT NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;
"""
_READS_S = 10.0
"""Who reads says so for so long, and again in time."""
_STALE_S = 60.0
"""What a dead process has left is nobody's text any more."""


class Chunks:
    """Drafts of replies, between the processes of a machine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, run_id: str) -> None:
        """Say that somebody here reads a run."""
        self._database.write(
            "INSERT OR REPLACE INTO reader VALUES (?, ?)", (run_id, wall_s() + _READS_S)
        )

    def asked(self, run_ids: Collection[str]) -> set[str]:
        """Those of the runs that somebody reads elsewhere."""
        rows = self._database.read("SELECT run_id FROM reader WHERE until > ?", (wall_s(),))
        return {row["run_id"] for row in rows} & {*run_ids}

    def put(self, run_id: str, draft: tuple[str, int, str]) -> None:
        """Show a reply as far as it is written."""
        self._database.write(
            "INSERT OR REPLACE INTO draft VALUES (?, ?, ?, ?, ?)", (run_id, *draft, wall_s())
        )

    def drop(self, run_id: str) -> None:
        """Show it no more, nor what dead processes have left."""
        now = wall_s()
        self._database.write(
            "DELETE FROM draft WHERE run_id = ? OR at < ?", (run_id, now - _STALE_S)
        )
        self._database.write("DELETE FROM reader WHERE until < ?", (now,))

    def get(self, run_id: str) -> tuple[str, int, str] | None:
        """The reply of another process, as far as it was shown."""
        rows = self._database.read(
            "SELECT effect, attempt, text FROM draft WHERE run_id = ? AND at > ?",
            (run_id, wall_s() - _STALE_S),
        )
        return (rows[0]["effect"], rows[0]["attempt"], rows[0]["text"]) if rows else None
