"""Find runs a page at a time, by what is known of them, and follow what changes.

A page is read from the list that is shortest: of a status, of a label (an agent, a user, a day …), or
of all runs. What else was asked for is compared with each run's own row, which a checksum covers. A
list is used after it was counted: the table `tally` knows how many runs each must have, so that one
which lost some to a damaged page is not taken for a shorter one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from outlast.core.errors import JournalCorrupt
from outlast.journal.codec import metadata_of
from outlast.journal.journal import RunFilter, RunSummary, fits
from outlast.journal.rows import COLUMNS, RunRow, checked

_PAGE_ROWS = 256
_RUN = ", ".join(f"run.{name}" for name in RunRow._fields)
_ORDER = f"ORDER BY 1 DESC LIMIT {_PAGE_ROWS}"
_ALL = f"SELECT {COLUMNS} FROM run NOT INDEXED WHERE number < :place {_ORDER}"  # noqa: S608  # our own names
_BETWEEN = _ALL.replace("< :place", "< :place AND number BETWEEN :low AND :high")
_BY_STATUS = f"SELECT {COLUMNS} FROM run INDEXED BY run_shown WHERE shown = :value AND number < :place {_ORDER}"  # noqa: S608
_BY_LABEL = (
    f"SELECT {_RUN} FROM (SELECT run AS number FROM label"  # noqa: S608
    f" WHERE kind = :kind AND value = :value AND run < :place {_ORDER}) AS page"
    " LEFT JOIN run USING (number) ORDER BY page.number DESC"
)
_BY_ID = (
    f"SELECT {COLUMNS} FROM run INDEXED BY sqlite_autoindex_run_1"  # noqa: S608
    f" WHERE id >= :value AND id < :value || char(1114111) AND number < :place {_ORDER}"
)
_QUERIES = {"all": _ALL, "status": _BY_STATUS, "day": _BETWEEN, "id": _BY_ID}
_TALLY = "SELECT coalesce(sum(runs), 0) FROM tally WHERE kind = :kind AND value = coalesce(:value, value)"
_DAYS = "SELECT min(low), max(high) FROM tally WHERE kind = 'day' AND value BETWEEN ? AND ?"
_COUNTS = {
    "id": "SELECT count(*) FROM run INDEXED BY sqlite_autoindex_run_1 WHERE id >= ''",
    "all": "SELECT count(*) FROM run NOT INDEXED",
    "status": "SELECT count(*) FROM run INDEXED BY run_shown WHERE shown = :value",
}
_UNTALLIED = ("all", "day", "id")
"""Lists of all runs, or parts of one."""
_COUNT_LABEL = "SELECT count(*) FROM label WHERE kind = :kind AND value = :value"
_COUNT_FEED = "SELECT count(*), coalesce(max(place) - min(place) + 1, 0) FROM feed"
_CHANGED = (
    f"SELECT feed.place, {_RUN} FROM feed CROSS JOIN run ON run.number = feed.run"  # noqa: S608
    " WHERE feed.place > ? ORDER BY feed.place LIMIT ?"
)
_LABELS = ("agent", "user", "tenant", "session_id", "tag")
_FIRST_DAY, _LAST_DAY = "0000-01-01", "9999-12-31"


class Source(NamedTuple):
    """A list of runs in the order of their numbers."""

    kind: str
    """Of label; or all, status, day."""
    value: str = ""
    runs: int = 0
    """How long it is, about."""
    low: int = 0
    high: int = 0


def runs_before(
    db: sqlite3.Connection,
    number: int | None,
    status: str | None,
    which: RunFilter,
    counted: set[tuple[str, str]],
) -> Generator[tuple[RunRow, RunSummary]]:
    """The rows of the runs that are asked for, the newest first, each checked.

    Args:
        db: To read with.
        number: Only those before this one.
        status: What they have come to.
        which: What else they have to be.
        counted: The lists that are known to be whole; those that are counted here are added.

    Raises:
        JournalCorrupt: A list is not whole, or a row is not what was written.
    """
    source = _source(db, status, which)
    _count(db, source, counted)
    place = 2**62 if number is None else number
    query = _QUERIES.get(source.kind, _BY_LABEL)
    while True:
        rows = db.execute(query, {**source._asdict(), "place": place}).fetchall()
        for fields in rows:
            row = checked(fields)
            if row.number >= place or (source.kind == "status" and row.shown != source.value):
                raise _out_of_order(row)
            place = row.number
            summary = summary_of(row)
            if fits(summary, status, which):
                yield row, summary
        if len(rows) < _PAGE_ROWS:
            return


def changes_after(
    db: sqlite3.Connection,
    place: int,
    status: str | None,
    which: RunFilter,
    counted: set[tuple[str, str]],
) -> Generator[tuple[int, RunRow, RunSummary]]:
    """The runs that have changed since a place in the feed, each where it changed last.

    Raises:
        JournalCorrupt: The feed is not whole, or a row is not what was written.
    """
    if ("feed", "") not in counted:
        found, expected = db.execute(_COUNT_FEED).fetchone()
        if found != expected:
            raise _not_whole(found, expected)
        counted.add(("feed", ""))
    while True:
        rows = db.execute(_CHANGED, (place, _PAGE_ROWS)).fetchall()
        for fields in rows:
            place, row = fields[0], checked(fields[1:])
            summary = summary_of(row)
            if fits(summary, status, which):
                yield place, row, summary
        if len(rows) < _PAGE_ROWS:
            return


def summary_of(row: RunRow) -> RunSummary:
    """What a list says of a run, but for whether its owner lives."""
    times = row.created_at / 1e6, row.at / 1e6
    facts = (row.id, row.agent, row.shown, row.parent, *times, row.head)
    return RunSummary(*facts, owner_alive=False, metadata=metadata_of(row.metadata))


def _source(db: sqlite3.Connection, status: str | None, which: RunFilter) -> Source:
    """The shortest list that has all that is asked for."""
    sources = [Source("all")]
    if status is not None:
        sources.append(Source("status", status))
    asked: Any = which
    # SQLite's JSON ends a text at a NUL, so such a label is none to look for.
    labels = [kind for kind in _LABELS if "\0" not in (asked.get(kind) or "\0")]
    sources += [Source(kind, asked[kind]) for kind in labels]
    tallied = [source._replace(runs=_tally(db, source)) for source in sources]
    since, until = which.get("began_since"), which.get("began_before")
    if since is not None or until is not None:
        days = _day(since, _FIRST_DAY), _day(until, _LAST_DAY)
        low, high = db.execute(_DAYS, days).fetchone()
        runs = 0 if low is None else high - low + 1
        tallied.append(Source("day", "", runs, low or 0, high or 0))
    if starts := which.get("run_id_starts"):
        tallied.append(Source("id", starts, 1))
    return min(tallied, key=lambda source: source.runs)


def _tally(db: sqlite3.Connection, source: Source) -> int:
    about = {"kind": source.kind, "value": source.value}
    if source.kind in _UNTALLIED:
        about = {"kind": "status", "value": None}
    return db.execute(_TALLY, about).fetchone()[0]


def _count(db: sqlite3.Connection, source: Source, counted: set[tuple[str, str]]) -> None:
    """See that a list has the runs that it must have; once for each."""
    if source.kind in _UNTALLIED:
        source = Source("id" if source.kind == "id" else "all")
    if source[:2] in counted:
        return
    db.execute("BEGIN")  # What another process adds between the two looks is in neither.
    try:
        expected = _tally(db, source)
        query = _COUNTS.get(source.kind, _COUNT_LABEL)
        found = db.execute(query, source._asdict()).fetchone()[0]
    finally:
        db.execute("COMMIT")
    if found != expected:
        raise _not_whole(found, expected)
    counted.add(source[:2])


def _day(at: float | None, otherwise: str) -> str:
    if at is None:
        return otherwise
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    except OverflowError:
        return _FIRST_DAY if at < 0 else _LAST_DAY
    return moment.date().isoformat()


def _not_whole(found: int, expected: int) -> JournalCorrupt:
    return JournalCorrupt(
        f"The journal's list of runs and its indexes do not have the same runs ({found} and "
        f"{expected}): a page of it was damaged. Restore it from a copy. Runs that you name can be "
        "read all the same."
    )


def _out_of_order(row: RunRow) -> JournalCorrupt:
    return JournalCorrupt(
        f"The journal's list of runs is out of order at run {row.id!r}: a page of it was "
        "damaged. Restore it from a copy. Runs that you name can be read all the same."
    )
