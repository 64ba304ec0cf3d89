"""Where facts are: one SQLite file with the texts, an index of their words, and their vectors.

The vectors of a user are compared one by one. That needs no extension of SQLite, which many builds of
Python cannot load, and takes about 30 ms for 1,000 facts. An index pays off far beyond what one user
tells.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import re
import sqlite3
from array import array
from collections.abc import Sequence
from operator import mul
from typing import Any, NamedTuple

from outlast.core.errors import UserError
from outlast.definitions.clock import wall_s
from outlast.sessions.sqlite_tables import database_file, open_database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS memory_facts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    vector BLOB NOT NULL,
    source TEXT NOT NULL,
    made_at REAL NOT NULL,
    expires_at REAL,
    UNIQUE (user, hash)
);
CREATE TABLE IF NOT EXISTS memory_about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS memory_words USING fts5(text, tokenize = 'porter unicode61');
"""
_WORD = re.compile(r"\w+")
_RANK = 60
"""What makes the first places of two lists count about the same (reciprocal rank fusion)."""


class Fact(NamedTuple):
    """A stored fact."""

    id: int
    text: str
    source: str
    made_at: float


class FactStore:
    """Facts of users, in one file. Every call is one transaction; it blocks for well under 1 ms.

    Without an embedder's name it is there to look at and to forget in, whoever made its vectors.
    """

    def __init__(self, path: str, embedder: str, dimensions: int) -> None:
        self._dimensions = dimensions
        self._db = open_database(database_file(path), lambda db: self._prepare(db, embedder))
        self._db.execute("PRAGMA busy_timeout = 5000")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(
        self, user: str, text: str, vector: Sequence[float], source: str, expires_at: float | None
    ) -> int:
        """Keep a fact and return its id; that of the fact that is there already, if it is the same."""
        digest = hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            known = self._db.execute(
                "SELECT id FROM memory_facts WHERE user = ? AND hash = ?", (user, digest)
            ).fetchone()
            if known is not None:
                self._db.execute(
                    "UPDATE memory_facts SET expires_at = ? WHERE id = ?", (expires_at, known[0])
                )
                return int(known[0])
            row = (user, text, digest, self._packed(vector), source, wall_s(), expires_at)
            fact_id = self._db.execute(
                "INSERT INTO memory_facts (user, text, hash, vector, source, made_at, expires_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            assert fact_id is not None
            self._db.execute(
                "INSERT INTO memory_words (rowid, text) VALUES (?, ?)", (fact_id, text)
            )
            return fact_id

    def find(self, user: str, text: str, vector: Sequence[float], limit: int) -> list[Fact]:
        """The user's facts that are nearest to a text by its words and its vector, the nearest first."""
        self.drop_expired()
        wide = max(limit * 4, 20)
        near = self._nearest(user, array("f", vector), wide)
        words = " OR ".join(f'"{word}"' for word in _WORD.findall(text))
        shared = (
            self._db.execute(
                "SELECT rowid FROM memory_words WHERE memory_words MATCH ? AND rowid IN "
                "(SELECT id FROM memory_facts WHERE user = ?) ORDER BY rank LIMIT ?",
                (words, user, wide),
            ).fetchall()
            if words
            else []
        )
        scores: dict[int, float] = {}
        for ids in (near, [fact_id for (fact_id,) in shared]):
            for place, fact_id in enumerate(ids):
                scores[fact_id] = scores.get(fact_id, 0.0) + 1 / (_RANK + place)
        best = sorted(scores, key=lambda fact_id: (-scores[fact_id], fact_id))[:limit]
        found = {fact.id: fact for fact in self._facts(f"id IN ({_marks(best)})", best)}
        return [found[fact_id] for fact_id in best if fact_id in found]

    def _nearest(self, user: str, vector: array[float], limit: int) -> list[int]:
        rows = self._db.execute("SELECT vector, id FROM memory_facts WHERE user = ?", (user,))
        near = [(_likeness(vector, packed), -fact_id) for packed, fact_id in rows]
        return [-fact_id for likeness, fact_id in heapq.nlargest(limit, near) if likeness > 0]

    def all(self, user: str) -> list[Fact]:
        """All facts of a user, the oldest first."""
        self.drop_expired()
        return self._facts("user = ?", [user])

    def drop(self, user: str, fact_id: int | None = None) -> int:
        """Delete a fact of a user, or all of them, from the table and the index."""
        which = "user = ?" if fact_id is None else "user = ? AND id = ?"
        return self._drop(which, [user] if fact_id is None else [user, fact_id])

    def drop_expired(self) -> int:
        """Delete what has expired."""
        return self._drop("expires_at IS NOT NULL AND expires_at <= ?", [wall_s()])

    def _facts(self, which: str, values: Sequence[Any]) -> list[Fact]:
        rows = self._db.execute(
            f"SELECT id, text, source, made_at FROM memory_facts WHERE {which} ORDER BY id",  # noqa: S608
            list(values),
        )
        return [Fact(*row) for row in rows]

    def _drop(self, which: str, values: Sequence[Any]) -> int:
        ids = [fact.id for fact in self._facts(which, values)]
        if not ids:
            return 0
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for fact_id in ids:
                self._db.execute("DELETE FROM memory_words WHERE rowid = ?", (fact_id,))
                self._db.execute("DELETE FROM memory_facts WHERE id = ?", (fact_id,))
        self._db.execute("INSERT INTO memory_words (memory_words) VALUES ('optimize')")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(ids)

    def _packed(self, vector: Sequence[float]) -> bytes:
        if len(vector) != self._dimensions:
            raise UserError(
                f"The embedder made a vector of {len(vector)} numbers and says that it makes "
                f"{self._dimensions}. Correct its `dimensions`."
            )
        return array("f", vector).tobytes()

    def _prepare(self, db: sqlite3.Connection, embedder: str) -> None:
        db.execute("PRAGMA secure_delete = ON")  # What is forgotten is not in the file any more.
        db.executescript(_SCHEMA)
        if not embedder:
            return
        db.execute("INSERT OR IGNORE INTO memory_about VALUES ('embedder', ?)", (embedder,))
        (known,) = db.execute("SELECT value FROM memory_about WHERE name = 'embedder'").fetchone()
        if known != embedder:
            raise UserError(
                f"The memory holds vectors of the embedder {known!r}, and was opened with "
                f"{embedder!r}: their vectors cannot be compared. Use the same, or another file."
            )


def _likeness(vector: array[float], packed: bytes) -> float:
    """The cosine of two vectors."""
    other = array("f")
    other.frombytes(packed)
    lengths = math.sqrt(sum(map(mul, vector, vector)) * sum(map(mul, other, other)))
    return sum(map(mul, vector, other)) / lengths if lengths else 0.0


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" for _ in values)
