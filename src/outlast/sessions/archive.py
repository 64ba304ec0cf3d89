"""Conversations as a whole: found by their words, written as lines of JSON, read again, forgotten.

Searching works on the SQLite files of `SQLiteSession`. Its index is a table in the same file, brought up to
date by each search; a program that only keeps conversations never sees it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, cast

from outlast.core.compacting import line_of
from outlast.core.errors import UserError
from outlast.core.missing import NoSuchThing
from outlast.sessions.session import SessionLike, ask_session
from outlast.sessions.sqlite_tables import SessionTables, decoded, open_database, quoted

_ALL = 2**31 - 1
_WORD = re.compile(r"\w+")
_OF_BRANCHES = {"message_structure", "turn_usage", "branch_reservations"}
_TABLES = ("agent_sessions", "agent_messages")


SERVED = "sessions.db"
"""The file that a server keeps conversations in, beside its journal."""


class Found(NamedTuple):
    """An item that has the words."""

    session_id: str
    number: int
    """Where it stands among the items of its session, from 1."""
    said_at: str
    text: str


class Conversation(NamedTuple):
    """A session of a file."""

    session_id: str
    items: int
    updated_at: str


class SessionFile:
    """A SQLite file with conversations.

    Args:
        path: The file.
        sessions_table: The table of conversations.
        messages_table: The table of items.

    Raises:
        NoSuchThing: There is no such file.
        UserError: It holds no conversations.
    """

    def __init__(
        self,
        path: str | Path,
        sessions_table: str = _TABLES[0],
        messages_table: str = _TABLES[1],
    ) -> None:
        self.path = Path(path)
        self._tables = SessionTables(sessions_table, messages_table)
        self._index = quoted(f"{messages_table}_words")
        if not self.path.exists():
            raise NoSuchThing(f"There is no file {str(path)!r}. Name the file of a SQLiteSession.")
        try:
            with closing(self._opened()) as db:
                self._names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"The file {str(path)!r} cannot be read as a SQLite database: {error}. Name the file "
                "of a SQLiteSession."
            ) from error
        if messages_table not in self._names:
            raise UserError(
                f"The file {str(path)!r} has no table {messages_table!r}, so it holds no conversations. "
                f"Name the file of a SQLiteSession.{_beside(self.path)}"
            )

    @property
    def has_branches(self) -> bool:
        """Whether an `AdvancedSQLiteSession` has the file: items have a place in its tables, too."""
        return "message_structure" in self._names

    def conversations(self) -> list[Conversation]:
        """All conversations, the one that changed last first."""
        query = (
            f"SELECT m.session_id, count(*), coalesce(max(s.updated_at), max(m.created_at)) AS at "  # noqa: S608
            f"FROM {self._tables.messages} m LEFT JOIN {self._tables.sessions} s USING (session_id) "
            "GROUP BY m.session_id ORDER BY at DESC, m.session_id"
        )
        with closing(self._opened()) as db:
            return [Conversation(*row) for row in db.execute(query)]

    def search(self, words: str, *, session_id: str | None = None, limit: int = 20) -> list[Found]:
        """The items that have all of ``words``, the best first. What is encrypted is not found."""
        wanted = " AND ".join(f'"{word}"' for word in _WORD.findall(words))
        if not wanted:
            return []
        messages = self._tables.messages
        query = (
            f"SELECT m.session_id, (SELECT count(*) FROM {messages} b WHERE b.session_id = m.session_id "  # noqa: S608
            f"AND b.id <= m.id), m.created_at, i.text FROM {self._index} i "
            f"JOIN {messages} m ON m.id = i.rowid WHERE {self._index} MATCH ? "
            "AND (? IS NULL OR m.session_id = ?) ORDER BY rank LIMIT ?"
        )
        with closing(self._opened()) as db:
            self._bring_up_to_date(db)
            rows = db.execute(query, (wanted, session_id, session_id, limit)).fetchall()
        return [Found(*row) for row in rows]

    def forget(self, session_id: str) -> int:
        """Delete a conversation and what the index has of it. Returns how many items it had.

        What is deleted is overwritten in the file.
        """
        with closing(self._opened()) as db:
            self._bring_up_to_date(db)
            with db:
                db.execute("BEGIN IMMEDIATE")
                own = f"SELECT id FROM {self._tables.messages} WHERE session_id = ?"  # noqa: S608
                db.execute(f"DELETE FROM {self._index} WHERE rowid IN ({own})", (session_id,))  # noqa: S608
                delete_items, delete_session = self._tables.clear
                gone = db.execute(delete_items, (session_id,)).rowcount
                db.execute(delete_session, (session_id,))
                for table in self._names & _OF_BRANCHES:
                    db.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))  # noqa: S608
            db.execute(f"INSERT INTO {self._index} ({self._index}) VALUES ('optimize')")  # noqa: S608
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def _bring_up_to_date(self, db: sqlite3.Connection) -> None:
        index, messages = self._index, self._tables.messages
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {index} USING fts5(text, tokenize = 'unicode61')"
            )
            db.execute(f"DELETE FROM {index} WHERE rowid NOT IN (SELECT id FROM {messages})")  # noqa: S608
            (upto,) = db.execute(f"SELECT coalesce(max(rowid), 0) FROM {index}").fetchone()  # noqa: S608
            rows = db.execute(
                f"SELECT id, message_data FROM {messages} WHERE id > ?",  # noqa: S608
                (upto,),
            ).fetchall()
            texts = [
                (key, line_of(item)) for key, data in rows if (item := decoded(data)) is not None
            ]
            db.executemany(f"INSERT INTO {index} (rowid, text) VALUES (?, ?)", texts)  # noqa: S608

    def _opened(self) -> sqlite3.Connection:
        def prepare(db: sqlite3.Connection) -> None:
            db.execute("PRAGMA secure_delete = ON")

        db = open_database(str(self.path.absolute()), prepare)
        db.execute("PRAGMA busy_timeout = 5000")
        return db


async def exported(session: SessionLike) -> list[str]:
    """The items of any session, each as a line of JSON, the oldest first."""
    items: Any = await ask_session(cast("Any", session), "get_items", _ALL)
    return [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items]


async def imported(session: SessionLike, lines: Iterable[str]) -> int:
    """Add items that `exported` wrote to any session, all or none. Returns how many.

    Raises:
        UserError: A line is no JSON object. Nothing was added.
    """
    items: list[Any] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        item = decoded(line)
        if item is None:
            raise UserError(
                f"Line {number} is no JSON object, so nothing was added. Expected one item a line, as "
                "an export writes them."
            )
        items.append(item)
    if items:
        await ask_session(cast("Any", session), "add_items", items)
    return len(items)


def _beside(path: Path) -> str:
    """What to say of a file beside a journal that has the conversations that were served."""
    served = path.with_name(SERVED)
    return f" Conversations that were served are in {str(served)!r}." if served.is_file() else ""
