"""A session in SQLite whose conversation can branch, and that knows its turns, tools and usage."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from outlast.core.errors import WrongValue
from outlast.definitions.context import RunContextWrapper
from outlast.sessions.branch_tables import BranchTables
from outlast.sessions.branches import USAGE_COUNTS, USAGE_DETAILS, Branches
from outlast.sessions.rewriting import Change
from outlast.sessions.session import SessionSettings, check_items, item_text
from outlast.sessions.sqlite import SQLiteSession, newest_items, transaction
from outlast.sessions.sqlite_tables import decoded, open_database

if TYPE_CHECKING:
    from outlast.definitions.run_items import TResponseInputItem

_T = TypeVar("_T")


class HasUsage(Protocol):
    """The result of a run, as far as its usage goes."""

    @property
    def context_wrapper(self) -> RunContextWrapper:
        """The context of the run."""
        ...


_PREVIEW = 100
"""Characters of a turn that a list of turns shows."""


class AdvancedSQLiteSession(SQLiteSession):
    """A conversation in SQLite with branches, and with what happened in each turn of the user.

    It begins on the branch ``main``. Items and what is known of them are written as one unit. Which
    branch is current is this object's business; a call that waits is for the branch that was
    current when it was made.

    Args:
        session_id: The conversation.
        db_path: The file; it is made if need be. ``":memory:"`` is private to this object.
        create_tables: Whether to make the tables that are missing.
        logger: Who is told that usage could not be stored.
        session_settings: How the session is read where a run does not say.
        **kwargs: ``sessions_table`` and ``messages_table``, as `SQLiteSession` has them.

    Raises:
        ValueError: The tables are missing, or belong to other tables of the same file.
    """

    def __init__(
        self,
        *,
        session_id: str,
        db_path: str | Path = ":memory:",
        create_tables: bool = False,
        logger: logging.Logger | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._must_create = create_tables
        self._logger = logger or logging.getLogger("outlast.sessions")
        self._branch = "main"
        self._generation: int | None = None
        super().__init__(session_id, db_path, session_settings=session_settings, **kwargs)
        self._branches = Branches(session_id, self._tables)

    # --- The conversation. ----------------------------------------------------------------

    async def get_items(
        self, limit: int | None = None, branch_id: str | None = None
    ) -> list[TResponseInputItem]:
        """The newest ``limit`` items of a branch, the oldest first.

        Args:
            limit: None stands for the limit of ``session_settings``; less than 0 for no limit.
            branch_id: None for the current branch.
        """
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit

        def newest(connection: sqlite3.Connection, branch: str) -> list[Any]:
            query = (
                f"SELECT m.message_data FROM {self._tables.messages} m "  # noqa: S608
                "JOIN message_structure s ON s.message_id = m.id "
                "WHERE s.session_id = ? AND s.branch_id = ? ORDER BY s.sequence_number DESC"
            )
            return newest_items(connection.execute(query, (self.session_id, branch)), limit)

        return await self._on_branch(newest, branch_id)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        check_items(items)
        texts = [item_text(item) for item in items]

        def insert(connection: sqlite3.Connection, branch: str) -> None:
            if items:
                with transaction(connection):
                    self._branches.append(connection, branch, items, texts)

        await self._on_branch(insert)

    async def pop_item(self) -> TResponseInputItem | None:
        def pop(connection: sqlite3.Connection, branch: str) -> Any:
            with transaction(connection):
                while (data := self._branches.take_newest(connection, branch)) is not None:
                    if (item := decoded(data)) is not None:
                        return item
            return None

        return await self._on_branch(pop)

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`. It is about the current branch; turns keep their numbers."""

        def rewrite(connection: sqlite3.Connection, branch: str) -> bool:
            with transaction(connection):
                return self._branches.rewrite(connection, branch, change)

        return await self._on_branch(rewrite)

    async def clear_session(self) -> None:
        """Forget all items, branches and usage of this session. Names of branches stay used."""

        def clear(connection: sqlite3.Connection, branch: str) -> None:
            del branch
            with transaction(connection):
                for table in ("turn_usage", "message_structure"):
                    connection.execute(
                        f"DELETE FROM {table} WHERE session_id = ?",  # noqa: S608
                        (self.session_id,),
                    )
                for statement in self._tables.clear:
                    connection.execute(statement, (self.session_id,))
                self._generation = self._branches.raise_generation(connection)
            self._branch = "main"

        await self._on_branch(clear)

    # --- Branches. ------------------------------------------------------------------------

    async def create_branch_from_turn(
        self, turn_number: int, branch_name: str | None = None
    ) -> str:
        """Begin a branch with all that came before a turn of the current branch, and go to it.

        Args:
            turn_number: The user's turn, the first one is 1.
            branch_name: A name that no branch of this session ever had. None makes one.

        Returns:
            The branch's name.

        Raises:
            ValueError: There is no such turn, or the name is blank or was used.
        """

        def create(connection: sqlite3.Connection, branch: str) -> str:
            with transaction(connection):
                name = self._branches.reserve(connection, branch, turn_number, branch_name)
                self._branches.copy_before(connection, branch, turn_number, name)
            self._branch = name
            return name

        return await self._on_branch(create)

    async def create_branch_from_content(
        self, search_term: str, branch_name: str | None = None
    ) -> str:
        """`create_branch_from_turn` for the first turn of the user that holds a text.

        Raises:
            ValueError: No turn holds it, or the name is blank or was used.
        """
        turns = await self.find_turns_by_content(search_term)
        if not turns:
            raise WrongValue(f"No user turns found containing {search_term!r}")
        return await self.create_branch_from_turn(turns[0]["turn"], branch_name)

    async def switch_to_branch(self, branch_id: str) -> None:
        """Go to a branch.

        Raises:
            ValueError: There is no such branch.
        """

        def switch(connection: sqlite3.Connection, branch: str) -> None:
            del branch
            self._branches.require_branch(connection, branch_id)
            self._branch = branch_id

        await self._on_branch(switch)

    async def delete_branch(self, branch_id: str, force: bool = False) -> None:
        """Forget a branch, and the items that no other branch has.

        Args:
            branch_id: The branch.
            force: Whether the current branch may go, too; then ``main`` is the current one.

        Raises:
            ValueError: It is ``main``, or the current one without ``force``, or there is none.
        """
        if not branch_id or not branch_id.strip():
            raise WrongValue("Branch ID cannot be empty")
        if branch_id == "main":
            raise WrongValue("Cannot delete the 'main' branch")

        def delete(connection: sqlite3.Connection, branch: str) -> None:
            with transaction(connection):
                self._branches.require_branch(connection, branch_id)
                if branch_id == branch and not force:
                    raise WrongValue(
                        f"Cannot delete current branch {branch_id!r}. Use force=True or switch "
                        "branches first"
                    )
                self._branches.drop(connection, branch_id)
            if branch_id == branch:
                self._branch = "main"

        await self._on_branch(delete)

    async def list_branches(self) -> list[dict[str, Any]]:
        """Every branch that has items, the oldest first, with its number of items and turns."""

        def branches(connection: sqlite3.Connection, branch: str) -> list[dict[str, Any]]:
            rows = connection.execute(
                "SELECT branch_id, COUNT(*), SUM(message_type = 'user'), MIN(created_at) "
                "FROM message_structure WHERE session_id = ? GROUP BY branch_id "
                "ORDER BY MIN(created_at), MIN(sequence_number)",
                (self.session_id,),
            )
            return [
                {
                    "branch_id": name,
                    "message_count": count,
                    "user_turns": turns,
                    "is_current": name == branch,
                    "created_at": created,
                }
                for name, count, turns, created in rows
            ]

        return await self._on_branch(branches)

    # --- Turns and tools. -----------------------------------------------------------------

    async def get_conversation_turns(self, branch_id: str | None = None) -> list[dict[str, Any]]:
        """The user's turns of a branch, with the beginning of what the user said."""
        turns = await self._user_turns(branch_id)
        return [{**turn, "content": _shortened(turn["content"])} for turn in turns]

    async def find_turns_by_content(
        self, search_term: str, branch_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The user's turns of a branch that hold a text; ASCII capitals do not matter."""
        needle = _ascii_lower(search_term)
        return [
            turn
            for turn in await self._user_turns(branch_id)
            if any(needle in _ascii_lower(text) for text in _texts(turn["full_content"]))
        ]

    async def get_conversation_by_turns(
        self, branch_id: str | None = None
    ) -> dict[int, list[dict[str, str | None]]]:
        """By the number of each turn of a branch, the kinds of its items and their tools."""
        turns: dict[int, list[dict[str, str | None]]] = {}
        for kind, name, turn in await self._structure(branch_id):
            turns.setdefault(turn, []).append({"type": kind, "tool_name": name})
        return turns

    async def get_tool_usage(self, branch_id: str | None = None) -> list[tuple[str, int, int]]:
        """How often each tool was called in each turn of a branch: tool, calls, turn."""
        calls: dict[tuple[str, int], int] = {}
        results: dict[tuple[str, int], int] = {}
        for kind, name, turn in await self._structure(branch_id):
            tool = name or (kind if kind in _UNNAMED_CALLS else None)
            if tool is None:
                continue
            if kind.endswith("_call") or kind == "mcp_approval_request":
                calls[tool, turn] = calls.get((tool, turn), 0) + 1
            elif kind == "tool_search_output":
                results[tool, turn] = results.get((tool, turn), 0) + 1
        counts = {**results, **calls}  # A search whose call is nowhere counts by its result.
        rows = [(tool, count, turn) for (tool, turn), count in counts.items()]
        return sorted(rows, key=lambda row: (row[2], row[0]))

    # --- Usage. ---------------------------------------------------------------------------

    async def store_run_usage(self, result: HasUsage) -> None:
        """Keep what a run has used, as the usage of the current turn. It never raises."""
        turn = await self._on_branch(
            lambda connection, branch: (branch, self._branches.last_turn(connection, branch))
        )

        def store(connection: sqlite3.Connection, branch: str) -> None:
            del branch
            with transaction(connection):
                if turn[1] and turn[1] == self._branches.last_turn(connection, turn[0]):
                    self._branches.store_usage(connection, *turn, result.context_wrapper.usage)

        try:
            await self._on_branch(store)
        except Exception:
            self._logger.exception("The usage of a run was not stored (%s).", self.session_id)

    async def get_session_usage(self, branch_id: str | None = None) -> dict[str, int] | None:
        """What all runs together have used, on one branch or on all; None if nothing is known."""

        def usage(connection: sqlite3.Connection, branch: str) -> dict[str, int] | None:
            del branch
            sums = ", ".join(f"SUM({name})" for name in USAGE_COUNTS)
            where = "session_id = ?" + (" AND branch_id = ?" if branch_id else "")
            row = connection.execute(
                f"SELECT {sums}, COUNT(*) FROM turn_usage WHERE {where}",  # noqa: S608
                (self.session_id, branch_id) if branch_id else (self.session_id,),
            ).fetchone()
            names = (*USAGE_COUNTS, "total_turns")
            return dict(zip(names, row, strict=True)) if row[-1] else None

        return await self._on_branch(usage)

    async def get_turn_usage(
        self, user_turn_number: int | None = None, branch_id: str | None = None
    ) -> list[dict[str, Any]] | dict[str, Any]:
        """What the runs of a branch have used, by turn; of one turn if one is asked for."""

        def usage(connection: sqlite3.Connection, branch: str) -> list[dict[str, Any]]:
            columns = ("user_turn_number", *USAGE_COUNTS, *USAGE_DETAILS)
            rows = connection.execute(
                f"SELECT {', '.join(columns)} FROM turn_usage "  # noqa: S608
                "WHERE session_id = ? AND branch_id = ? ORDER BY user_turn_number",
                (self.session_id, branch),
            )
            turns: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
            for turn in turns:
                turn.update({name: json.loads(turn[name] or "null") for name in USAGE_DETAILS})
            return turns

        turns = await self._on_branch(usage, branch_id)
        if user_turn_number is None:
            return turns
        mine = [turn for turn in turns if turn.pop("user_turn_number") == user_turn_number]
        return mine[0] if mine else {}

    # --- What is done with the tables. ----------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        tables = BranchTables(self.sessions_table, self.messages_table)
        return open_database(
            self._path, lambda fresh: tables.prepare(fresh, create=self._must_create)
        )

    async def _on_branch(
        self, work: Callable[[sqlite3.Connection, str], _T], branch_id: str | None = None
    ) -> _T:
        """Do ``work`` on a branch: the one that is current now, unless one is named."""
        asked = self._branch if branch_id is None else branch_id

        def run(connection: sqlite3.Connection) -> _T:
            is_stale = self._notice_clearing(connection)
            return work(connection, "main" if is_stale and branch_id is None else asked)

        return await self._run(run)

    def _notice_clearing(self, connection: sqlite3.Connection) -> bool:
        """Whether somebody has cleared the session since; then this object is on ``main`` again."""
        row = connection.execute(
            "SELECT generation FROM session_clear_generations WHERE session_id = ?",
            (self.session_id,),
        ).fetchone()
        generation = row[0] if row else 0
        is_stale = self._generation not in (None, generation)
        self._generation = generation
        if is_stale:
            self._branch = "main"
        return is_stale

    async def _structure(self, branch_id: str | None) -> list[tuple[str, str | None, int]]:
        def rows(connection: sqlite3.Connection, branch: str) -> list[tuple[str, str | None, int]]:
            return connection.execute(
                "SELECT message_type, tool_name, user_turn_number FROM message_structure "
                "WHERE session_id = ? AND branch_id = ? ORDER BY sequence_number",
                (self.session_id, branch),
            ).fetchall()

        return await self._on_branch(rows, branch_id)

    async def _user_turns(self, branch_id: str | None) -> list[dict[str, Any]]:
        def rows(connection: sqlite3.Connection, branch: str) -> list[tuple[int, str, str]]:
            return connection.execute(
                "SELECT s.user_turn_number, m.message_data, s.created_at "  # noqa: S608
                f"FROM message_structure s JOIN {self._tables.messages} m "
                "ON m.id = s.message_id WHERE s.session_id = ? AND s.branch_id = ? "
                "AND s.message_type = 'user' ORDER BY s.sequence_number",
                (self.session_id, branch),
            ).fetchall()

        turns: list[dict[str, Any]] = []
        for turn, data, created in await self._on_branch(rows, branch_id):
            if (item := decoded(data)) is None:
                continue
            content = item.get("content", "")
            text = content if isinstance(content, str) else json.dumps(content)
            turns.append(
                {
                    "turn": turn,
                    "content": text,
                    "full_content": content,
                    "timestamp": created,
                    "can_branch": True,
                }
            )
        return turns


_UNNAMED_CALLS = ("shell_call", "apply_patch_call")


def _shortened(text: str) -> str:
    return text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}..."


def _texts(content: object) -> list[str]:
    """The texts that a user's message says."""
    if isinstance(content, str):
        return [content]
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return [str(part["text"]) for part in parts if "text" in part]


def _ascii_lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)
