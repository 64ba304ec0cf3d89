"""The tables beside those of a session that say which branch, turn and tool each item belongs to.

They are openai-agents', and one file has them once: who owns them is said by their foreign keys.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from outlast.core.errors import WrongValue
from outlast.sessions.sqlite_tables import SessionTables, quoted

_INDEXES = {
    "idx_structure_session_seq": "message_structure (session_id, sequence_number)",
    "idx_structure_branch": "message_structure (session_id, branch_id)",
    "idx_structure_turn": "message_structure (session_id, branch_id, user_turn_number)",
    "idx_structure_branch_seq": "message_structure (session_id, branch_id, sequence_number)",
    "idx_turn_usage_session_turn": "turn_usage (session_id, branch_id, user_turn_number)",
}
# Which column of which table names a row of the session's own tables.
_OWNED = (
    ("message_structure", "session_id"),
    ("message_structure", "message_id"),
    ("turn_usage", "session_id"),
)


class BranchTables:
    """Makes the tables for one pair of session tables, and refuses those of another pair."""

    def __init__(self, sessions_table: str, messages_table: str) -> None:
        self._names = (sessions_table, messages_table)
        self._tables = SessionTables(sessions_table, messages_table)

    def prepare(self, connection: sqlite3.Connection, *, create: bool) -> None:
        """Check whose tables they are; make those that are missing if ``create`` says so.

        Raises:
            ValueError: They belong to other tables, or are missing and are not to be made.
        """
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            self._require_owner(connection, create=create)
            for statement in (*self._tables.statements, *self._statements()):
                connection.execute(statement)

    def _require_owner(self, connection: sqlite3.Connection, *, create: bool) -> None:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        present = {_folded(name) for (name,) in rows}
        structure = {table for table, _ in _OWNED}
        if not create and not structure <= present:
            raise WrongValue(
                "This database has no tables for branches and turns. Pass create_tables=True to "
                "make them."
            )
        for table, column in _OWNED:
            if table in present:
                self._require_reference(connection, table, column)
        if not create and not {_folded(name) for name in self._names} <= present:
            raise WrongValue(
                f"The configured base tables {self._names[0]!r} and {self._names[1]!r} are not in "
                "this database. Name the ones that it has, or pass create_tables=True."
            )

    def _require_reference(self, connection: sqlite3.Connection, table: str, column: str) -> None:
        """Refuse ``table`` unless its ``column`` points into this session's own tables."""
        keys = connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
        owners = [(row[2], row[4]) for row in keys if _folded(row[3]) == column]
        if len(owners) != 1:
            raise WrongValue(
                f"The table {table!r} of this database needs exactly one owner foreign key for "
                f"{column!r}, and has {len(owners)}. Use another file."
            )
        sessions, messages = self._names
        wanted = (messages, "id") if column == "message_id" else (sessions, "session_id")
        found = (owners[0][0], owners[0][1] or wanted[1])
        if tuple(map(_folded, found)) != tuple(map(_folded, wanted)):
            raise WrongValue(
                f"The table {table!r} of this database already belongs to {found[0]!r}, and this "
                f"session uses {wanted[0]!r}. Use one pair of tables per file."
            )

    def _statements(self) -> list[str]:
        sessions, messages = self._tables.sessions, self._tables.messages
        owner = f"FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE"
        return [
            f"""CREATE TABLE IF NOT EXISTS message_structure (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                session_id TEXT NOT NULL,
                message_id INTEGER NOT NULL,
                branch_id TEXT NOT NULL DEFAULT 'main',
                message_type TEXT NOT NULL,
                sequence_number INTEGER NOT NULL,
                user_turn_number INTEGER,
                branch_turn_number INTEGER,
                tool_name TEXT,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
                {owner},
                FOREIGN KEY (message_id) REFERENCES {messages} (id) ON DELETE CASCADE
            )""",
            f"""CREATE TABLE IF NOT EXISTS turn_usage (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                session_id TEXT NOT NULL,
                branch_id TEXT NOT NULL DEFAULT 'main',
                user_turn_number INTEGER NOT NULL,
                requests INTEGER DEFAULT 0,
                input_tokens INTEGER DEFAULT 0,
                output_tokens INTEGER DEFAULT 0,
                total_tokens INTEGER DEFAULT 0,
                input_tokens_details JSON,
                output_tokens_details JSON,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
                {owner},
                UNIQUE (session_id, branch_id, user_turn_number)
            )""",
            """CREATE TABLE IF NOT EXISTS branch_reservations (
                session_id TEXT NOT NULL,
                branch_id TEXT NOT NULL,
                PRIMARY KEY (session_id, branch_id)
            )""",
            """CREATE TABLE IF NOT EXISTS session_clear_generations (
                session_id TEXT PRIMARY KEY,
                generation INTEGER NOT NULL DEFAULT 0
            )""",
            *(
                f"CREATE INDEX IF NOT EXISTS {quoted(name)} ON {columns}"
                for name, columns in _INDEXES.items()
            ),
        ]


def message_type(item: Any) -> str:
    """What kind of item this is: who says it, or the item's type."""
    role = item.get("role")
    return str(role if role in ("user", "assistant") else item.get("type") or "other")


def tool_name(item: Any) -> str | None:
    """The tool that an item is about, with its server or namespace; None where it is about none."""
    kind = str(item.get("type"))
    if kind in ("tool_search_call", "tool_search_output"):
        return "tool_search"
    name = item.get("name")
    if name is None:
        return kind if kind.endswith("_call") and kind not in _NAMED_CALLS else None
    space = item.get("server_label") if kind.startswith("mcp_") else item.get("namespace")
    return f"{space}.{name}" if space and space != name else str(name)


_NAMED_CALLS = ("function_call", "custom_tool_call", "mcp_call")


def _folded(name: str) -> str:
    """A name as SQLite compares it: in ASCII only, capitals are the same as small letters."""
    return "".join(char.lower() if char.isascii() else char for char in name)
