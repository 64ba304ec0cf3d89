"""The row of a run: what is known of its log without reading it, sealed and found by two ways.

A damaged page makes SQLite answer that there is no such row, or fewer of them, without a word. So

* the row says how long the run's log is and what the checksum of its end is: a log that is read as a
  shorter one is found out;
* a checksum seals the row itself, and an append replaces the row only as the writer last saw it, which
  is the whole of fencing: 7 µs for an append;
* a run is looked for by its id and, where that finds nothing, by a number made of the id, which is
  another index on other pages; one flipped bit cannot hide it from both (3 µs, for new ids only);
* whoever lists runs first has the list counted; see feed.py.
"""

from __future__ import annotations

import sqlite3
import struct
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

from outlast.core.errors import JournalCorrupt
from outlast.views.status import ENDED


class RunRow(NamedTuple):
    """One run, as it is stored."""

    number: int
    id: str
    key: int
    epoch: int
    owner: str
    status: str
    is_waiting: int
    agent: str
    parent: str
    metadata: str
    created_at: int
    head: int
    at: int
    tail: int
    revision: int
    seal: int

    @property
    def shown(self) -> str:
        """What people are told of it. The table works it out as well, for its index."""
        return "waiting" if self.is_waiting and self.status not in ENDED else self.status


COLUMNS = ", ".join(RunRow._fields)
_BY_ID = f"SELECT {COLUMNS} FROM run WHERE id = ?"  # noqa: S608  # our own names
_BY_KEY = f"SELECT {COLUMNS} FROM run INDEXED BY run_key WHERE key = ?"  # noqa: S608
_pack = struct.Struct("<9q").pack


def run_key(run_id: str) -> int:
    """The number by which a run is found where its id is not."""
    return int.from_bytes(blake2b(run_id.encode(), digest_size=8).digest(), "big") >> 1


def sealed(row: RunRow) -> RunRow:
    """The row with the checksum that belongs to it."""
    return RunRow(*row[:-1], _checksum(row))


def checked(fields: tuple[object, ...]) -> RunRow:
    """The row, if it is what was written.

    Raises:
        JournalCorrupt: It is not.
    """
    row = RunRow(*fields)  # pyright: ignore[reportArgumentType]  # the next lines find out
    try:
        is_sound = row.seal == _checksum(row) and row.key == run_key(row.id)
    except (TypeError, AttributeError, struct.error, UnicodeError):
        is_sound = False  # SQLite lets a damaged file hand out other types than were stored.
    if not is_sound:
        raise _corrupt(str(row.id), "does not match its checksum")
    return row


_LOOKS = 3
"""How often the two indexes are asked: a run begins once and is deleted once between two looks."""


def find(db: sqlite3.Connection, run_id: str) -> RunRow | None:
    """The row of a run; None where there is none.

    Raises:
        JournalCorrupt: It is damaged, or one of two indexes does not know it.
    """
    for _ in range(_LOOKS):
        fields = db.execute(_BY_ID, (run_id,)).fetchone()
        if fields is not None:
            row = checked(fields)
            if row.id != run_id:
                raise _corrupt(run_id, f"is confused with that of run {row.id!r} in an index")
            return row
        others = db.execute(_BY_KEY, (run_key(run_id),)).fetchall()
        if all(run_id != other[1] for other in others):
            return None
        # It is missing from one index, or another process has begun it between the two looks.
    raise _corrupt(run_id, "is missing from an index")


def _checksum(row: RunRow) -> int:
    texts = (row.id, row.owner, row.status, row.agent, row.parent, row.metadata)
    names = "\0".join(texts)
    numbers = _pack(
        row.number,
        row.key,
        row.epoch,
        row.is_waiting,
        row.created_at,
        row.head,
        row.at,
        row.tail,
        row.revision,
    )
    return crc32(names.encode(), crc32(numbers))


def _corrupt(run_id: str, what: str) -> JournalCorrupt:
    error = JournalCorrupt(
        f"The row of run {run_id!r} {what}. The journal's file was damaged or changed by something "
        "other than Outlast; restore it from a copy. Other runs are not affected."
    )
    error.run_id = run_id
    return error
