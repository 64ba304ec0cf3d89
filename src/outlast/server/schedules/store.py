"""Schedules and what came of their instants, in the server's file beside the journal.

An instant's row is written once, by whoever is first: it says whether a run begins. So all who look at
the clock do the same, and the run's id, made of the instant, makes it one run.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import msgspec

from outlast.core.errors import UserError
from outlast.definitions.logger import logger
from outlast.server.database import Database
from outlast.server.schedules.schedule import Schedule

SCHEDULES = """
CREATE TABLE IF NOT EXISTS schedule (
    tenant TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, user TEXT NOT NULL, paused INTEGER NOT NULL,
    began_at REAL NOT NULL, seen_until REAL NOT NULL, PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS firing (
    tenant TEXT NOT NULL, name TEXT NOT NULL, due_at TEXT NOT NULL, run_id TEXT, why TEXT NOT NULL,
    PRIMARY KEY (tenant, name, due_at)
) WITHOUT ROWID;
"""
_KEPT = 1000
"""Firings that are remembered of each schedule."""


class Entry(NamedTuple):
    """A schedule as it is kept."""

    tenant: str
    """Empty: nobody's in particular."""
    schedule: Schedule
    user: str
    paused: bool
    began_at: float
    seen_until: float
    """All instants up to here were looked at."""
    is_code: bool
    """Whether the program has it, and not this file."""


class Firing(NamedTuple):
    """What came of an instant."""

    due_at: str
    run_id: str | None
    why: str
    """Why there is no run."""


class Schedules:
    """The schedules of a program, and of its callers.

    Args:
        database: Where they are kept.
        code: Those that the program has itself.
    """

    def __init__(self, database: Database, code: tuple[Schedule, ...] = ()) -> None:
        self._database = database
        self._code = {each.name: each for each in code}
        self._refused = set[str]()

    def begin(self, now: float) -> None:
        """Remember of each schedule of the program since when it is there."""
        for schedule in self._code.values():
            values = ("", schedule.name, "", "schedule", schedule.paused, now, now)
            self._database.write(
                "INSERT OR IGNORE INTO schedule VALUES (?, ?, ?, ?, ?, ?, ?)", values
            )

    def list(self) -> list[Entry]:
        """All of them. What another program has in its code is not among them."""
        rows = self._database.read("SELECT * FROM schedule ORDER BY tenant, name")
        return [entry for entry in map(self._entry, rows) if entry is not None]

    def _entry(self, row: Any) -> Entry | None:
        body, is_code = row["body"], not row["body"]
        own = self._code.get(row["name"]) if is_code else self._stored(row["name"], body)
        if own is None:
            return None
        times = (row["began_at"], row["seen_until"])
        return Entry(row["tenant"], own, row["user"], bool(row["paused"]), *times, is_code)

    def _stored(self, name: str, body: str) -> Schedule | None:
        """One that was kept before; None, said once, if this version takes no such schedule."""
        try:
            return Schedule(**msgspec.json.decode(body))
        except (UserError, TypeError) as error:
            if name not in self._refused:
                logger.warning("Schedule %r rests, for it is none: %s", name, error)
            self._refused.add(name)
            return None

    def find(self, tenant: str, name: str) -> Entry | None:
        """The one of that name."""
        rows = self._database.read(
            "SELECT * FROM schedule WHERE tenant = ? AND name = ?", (tenant, name)
        )
        return self._entry(rows[0]) if rows else None

    def put(self, tenant: str, schedule: Schedule, user: str, now: float) -> None:
        """Keep one, in place of the one of that name."""
        body = msgspec.json.encode(asdict(schedule)).decode()
        self._database.write(
            "INSERT OR REPLACE INTO schedule VALUES (?, ?, ?, ?, ?, ?, ?)",
            (tenant, schedule.name, body, user, schedule.paused, now, now),
        )

    def delete(self, tenant: str, name: str) -> None:
        """Forget one, and what came of it."""
        for table in ("schedule", "firing"):
            self._database.write(
                f"DELETE FROM {table} WHERE tenant = ? AND name = ?",  # noqa: S608  # our own names
                (tenant, name),
            )

    def pause(self, entry: Entry, now: float, *, paused: bool) -> None:
        """Let nothing begin, or let it begin again: not what was due meanwhile."""
        self._database.write(
            "UPDATE schedule SET paused = ?, seen_until = ? WHERE tenant = ? AND name = ?",
            (paused, now, entry.tenant, entry.schedule.name),
        )

    def seen(self, entry: Entry, until: float) -> None:
        """All instants up to here were looked at."""
        self._database.write(
            "UPDATE schedule SET seen_until = max(seen_until, ?) WHERE tenant = ? AND name = ?",
            (until, entry.tenant, entry.schedule.name),
        )

    def decide(self, entry: Entry, firing: Firing) -> Firing:
        """What came of an instant: this, unless somebody was quicker."""
        whose = (entry.tenant, entry.schedule.name)
        self._database.write(
            "INSERT OR IGNORE INTO firing VALUES (?, ?, ?, ?, ?)", (*whose, *firing)
        )
        self._database.write(
            "DELETE FROM firing WHERE tenant = ? AND name = ? AND due_at < (SELECT due_at FROM firing "
            "WHERE tenant = ? AND name = ? ORDER BY due_at DESC LIMIT 1 OFFSET ?)",
            (*whose, *whose, _KEPT),
        )
        return next(each for each in self.firings(entry, 1, of=firing.due_at))

    def firings(self, entry: Entry, limit: int, *, before: str = "~", of: str = "") -> list[Firing]:
        """What came of the newest instants, or of the one ``of``, the newest first."""
        rows = self._database.read(
            "SELECT due_at, run_id, why FROM firing WHERE tenant = ? AND name = ? AND due_at < ? "
            "AND ? IN ('', due_at) ORDER BY due_at DESC LIMIT ?",
            (entry.tenant, entry.schedule.name, before, of, limit),
        )
        return [Firing(*row) for row in rows]

    def last_run(self, entry: Entry, before: str) -> str | None:
        """The run of the newest instant before one that had a run."""
        rows = self._database.read(
            "SELECT run_id FROM firing WHERE tenant = ? AND name = ? AND due_at < ? AND run_id IS NOT NULL "
            "ORDER BY due_at DESC LIMIT 1",
            (entry.tenant, entry.schedule.name, before),
        )
        return rows[0]["run_id"] if rows else None
