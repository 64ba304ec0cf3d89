"""How many runs of an agent are performed at a time, by all processes of a machine together."""

from __future__ import annotations

from collections.abc import Mapping

from outlast.definitions.clock import wall_s
from outlast.journal.owner import life, this_process
from outlast.server.database import Database

SLOTS = """
CREATE TABLE IF NOT EXISTS slot (
    run_id TEXT NOT NULL PRIMARY KEY, agent TEXT NOT NULL, owner TEXT NOT NULL, since REAL NOT NULL
) WITHOUT ROWID;
"""


class Slots:
    """The right to perform a run of an agent that has a limit.

    Args:
        database: Where it is said who has one.
        limits: How many there are of each agent's.
    """

    def __init__(self, database: Database, limits: Mapping[str, int]) -> None:
        self._database = database
        self._limits = limits

    def take(self, agent: str, run_id: str) -> bool:
        """Whether the run may be performed now. What a dead process had is free again."""
        if agent not in self._limits:
            return True
        with self._database.alone():
            rows = self._database.read("SELECT run_id, owner FROM slot WHERE agent = ?", (agent,))
            dead = [row["run_id"] for row in rows if life(row["owner"]) is False]
            for each in dead:
                self._free(each)
            taken = {row["run_id"] for row in rows} - {*dead}
            if run_id in taken or len(taken) >= self._limits[agent]:
                return False
            self._database.write(
                "INSERT OR REPLACE INTO slot VALUES (?, ?, ?, ?)",
                (run_id, agent, this_process(), wall_s()),
            )
        return True

    def give_back(self, agent: str, run_id: str) -> None:
        """Let another run have it."""
        if agent in self._limits:
            self._free(run_id)

    def _free(self, run_id: str) -> None:
        self._database.write("DELETE FROM slot WHERE run_id = ?", (run_id,))
