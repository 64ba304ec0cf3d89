"""What is done with the tables of branches, over a connection whose transaction is the caller's."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from outlast.core.errors import WrongValue
from outlast.definitions.clock import wall_s
from outlast.sessions.branch_tables import message_type, tool_name
from outlast.sessions.rewriting import Change
from outlast.sessions.sqlite import rewriting
from outlast.sessions.sqlite_tables import SessionTables

USAGE_COUNTS = ("requests", "input_tokens", "output_tokens", "total_tokens")
USAGE_DETAILS = ("input_tokens_details", "output_tokens_details")


class Branches:
    """The branches of one session. Each method works inside a transaction that the caller began."""

    def __init__(self, session_id: str, tables: SessionTables) -> None:
        self.session_id = session_id
        self._tables = tables

    def raise_generation(self, connection: sqlite3.Connection) -> int:
        row = connection.execute(
            "INSERT INTO session_clear_generations VALUES (?, 1) ON CONFLICT (session_id) "
            "DO UPDATE SET generation = generation + 1 RETURNING generation",
            (self.session_id,),
        ).fetchall()
        return row[0][0]

    def append(
        self,
        connection: sqlite3.Connection,
        branch: str,
        items: list[Any],
        texts: list[str],
        *,
        since: int = 0,
    ) -> None:
        """Add items to a branch, in its last turn or one after it; ``since`` is a turn that it had."""
        connection.execute(self._tables.touch, (self.session_id,))
        self._keep_name(connection, branch)
        turn = max(self.last_turn(connection, branch), since)
        place = self._last_place(connection)
        for item, text in zip(items, texts, strict=True):
            row = connection.execute(self._tables.insert, (self.session_id, text))
            kind = message_type(item)
            turn += kind == "user"
            place += 1
            connection.execute(
                "INSERT INTO message_structure (session_id, message_id, branch_id, message_type, "
                "sequence_number, user_turn_number, branch_turn_number, tool_name) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self.session_id, row.lastrowid, branch, kind, place, turn, turn, tool_name(item)),
            )

    def rewrite(self, connection: sqlite3.Connection, branch: str, change: Change) -> bool:
        """Replace the items of a branch; other branches, and what turns have used, stay."""
        rows = connection.execute(
            f"SELECT s.id, m.message_data FROM {self._tables.messages} m "  # noqa: S608
            "JOIN message_structure s ON s.message_id = m.id "
            "WHERE s.session_id = ? AND s.branch_id = ? ORDER BY s.sequence_number",
            (self.session_id, branch),
        ).fetchall()
        step = rewriting(rows, self.session_id, change)
        if step is None:
            return False
        turn = self.last_turn(connection, branch)
        connection.executemany("DELETE FROM message_structure WHERE id = ?", step.dropped)
        self._forget_unused(connection)
        texts = [text for _, text in step.added]
        self.append(connection, branch, list(map(json.loads, texts)), texts, since=turn)
        return True

    def take_newest(self, connection: sqlite3.Connection, branch: str) -> str | None:
        """Take the newest item off a branch; the item itself goes with its last branch."""
        row = connection.execute(
            "SELECT id, message_id, user_turn_number FROM message_structure "
            "WHERE session_id = ? AND branch_id = ? ORDER BY sequence_number DESC LIMIT 1",
            (self.session_id, branch),
        ).fetchone()
        if row is None:
            return None
        own_id, message_id, turn = row
        messages = self._tables.messages
        data = connection.execute(
            f"SELECT message_data FROM {messages} WHERE id = ?",  # noqa: S608
            (message_id,),
        ).fetchone()
        connection.execute("DELETE FROM message_structure WHERE id = ?", (own_id,))
        self._forget_unused(connection)
        connection.execute(
            "DELETE FROM turn_usage WHERE session_id = ?1 AND branch_id = ?2 AND "
            "user_turn_number = ?3 AND NOT EXISTS (SELECT 1 FROM message_structure "
            "WHERE session_id = ?1 AND branch_id = ?2 AND user_turn_number = ?3)",
            (self.session_id, branch, turn),
        )
        return data[0] if data else ""

    def drop(self, connection: sqlite3.Connection, branch: str) -> None:
        for table in ("turn_usage", "message_structure"):
            connection.execute(
                f"DELETE FROM {table} WHERE session_id = ? AND branch_id = ?",  # noqa: S608
                (self.session_id, branch),
            )
        self._forget_unused(connection)

    def _forget_unused(self, connection: sqlite3.Connection) -> None:
        """Delete the items of this session that no branch has."""
        connection.execute(
            f"DELETE FROM {self._tables.messages} WHERE session_id = ?1 AND id NOT IN "  # noqa: S608
            "(SELECT message_id FROM message_structure WHERE session_id = ?1)",
            (self.session_id,),
        )

    def reserve(
        self, connection: sqlite3.Connection, branch: str, turn: int, name: str | None
    ) -> str:
        if name is not None and not name.strip():
            raise WrongValue("Branch name cannot be empty")
        found = connection.execute(
            "SELECT 1 FROM message_structure WHERE session_id = ? AND branch_id = ? "
            "AND user_turn_number = ? AND message_type = 'user'",
            (self.session_id, branch, turn),
        ).fetchone()
        if found is None:
            raise WrongValue(f"Turn {turn} does not contain a user message in branch {branch!r}")
        plain = name or f"branch_from_turn_{turn}_{int(wall_s())}"
        chosen, number = plain, 1
        while not self._keep_name(connection, chosen):
            if name is not None:
                raise WrongValue(
                    f"Branch ID {name!r} has already been used. Choose a new branch ID."
                )
            number += 1
            chosen = f"{plain}_{number}"
        return chosen

    def _keep_name(self, connection: sqlite3.Connection, branch: str) -> bool:
        """Note that a branch's name is used. False if it was before."""
        is_old = connection.execute(
            "SELECT 1 FROM message_structure WHERE session_id = ? AND branch_id = ? LIMIT 1",
            (self.session_id, branch),
        ).fetchone()
        added = connection.execute(
            "INSERT OR IGNORE INTO branch_reservations VALUES (?, ?)", (self.session_id, branch)
        )
        return bool(added.rowcount) and not is_old and branch != "main"

    def copy_before(
        self, connection: sqlite3.Connection, branch: str, turn: int, name: str
    ) -> None:
        rows = connection.execute(
            "SELECT message_id, message_type, user_turn_number, branch_turn_number, tool_name "
            "FROM message_structure WHERE session_id = ? AND branch_id = ? "
            "AND user_turn_number < ? ORDER BY sequence_number",
            (self.session_id, branch, turn),
        ).fetchall()
        first = self._last_place(connection) + 1
        connection.executemany(
            "INSERT INTO message_structure (session_id, branch_id, sequence_number, message_id, "
            "message_type, user_turn_number, branch_turn_number, tool_name) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(self.session_id, name, first + place, *row) for place, row in enumerate(rows)],
        )

    def require_branch(self, connection: sqlite3.Connection, branch: str) -> None:
        found = connection.execute(
            "SELECT 1 FROM message_structure WHERE session_id = ? AND branch_id = ? LIMIT 1",
            (self.session_id, branch),
        ).fetchone()
        if found is None and branch != "main":
            raise WrongValue(f"Branch {branch!r} does not exist")

    def last_turn(self, connection: sqlite3.Connection, branch: str) -> int:
        row = connection.execute(
            "SELECT MAX(user_turn_number) FROM message_structure "
            "WHERE session_id = ? AND branch_id = ?",
            (self.session_id, branch),
        ).fetchone()
        return row[0] or 0

    def _last_place(self, connection: sqlite3.Connection) -> int:
        row = connection.execute(
            "SELECT MAX(sequence_number) FROM message_structure WHERE session_id = ?",
            (self.session_id,),
        ).fetchone()
        return row[0] or 0

    def store_usage(
        self, connection: sqlite3.Connection, branch: str, turn: int, usage: object
    ) -> None:
        counts = [getattr(usage, name) for name in USAGE_COUNTS]
        details = [_json(getattr(usage, name)) for name in USAGE_DETAILS]
        columns = ("session_id", "branch_id", "user_turn_number", *USAGE_COUNTS, *USAGE_DETAILS)
        connection.execute(
            f"INSERT OR REPLACE INTO turn_usage ({', '.join(columns)}) "  # noqa: S608
            f"VALUES ({', '.join('?' for _ in columns)})",
            (self.session_id, branch, turn, *counts, *details),
        )


def _json(details: object) -> str | None:
    dump = getattr(details, "model_dump", None)
    return None if details is None else json.dumps(dump() if dump else details, default=vars)
