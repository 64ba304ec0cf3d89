"""Delete runs that are over, with all that only they used, and give the space back.

A run goes with the runs inside it. What is open (running, waiting, abandoned) stays unless that is
forced, and what a living process holds stays in any case. A blob goes when no log names it any more
and nobody has had it stored for two minutes: other processes remember for one that they need not.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Protocol

from outlast.core.errors import AlreadyRunning, JournalError, RunNotFound, UserError
from outlast.definitions.clock import wall_s
from outlast.definitions.given import names_of
from outlast.journal.blobs import is_settled, stamp
from outlast.journal.codec import metadata_of
from outlast.journal.database import STORAGE_ERRORS, connect, storage_error, transaction
from outlast.journal.inbox import forget_commands
from outlast.journal.journal import TERMINAL, MetadataFilter
from outlast.journal.ledger import forget_accounts
from outlast.journal.mark import forget
from outlast.journal.owner import described
from outlast.journal.rows import COLUMNS, RunRow, checked, find
from outlast.views.status import STATUSES

logger = logging.getLogger("outlast.journal")
_BUSY_MS = 10_000
_BATCH = 100
_INCREMENTAL = 2
_PAGES_AT_ONCE = 200
"""Moving so many takes 2 ms; writers have their turn in between."""
_PAUSE_S = 0.002
_OLD = f"SELECT {COLUMNS} FROM run WHERE at < ? ORDER BY number"  # noqa: S608  # our own names
_CHILDREN = f"SELECT {COLUMNS} FROM run WHERE parent = ? AND parent <> ''"  # noqa: S608
_LOG = "WHERE place >= ?1 << 32 AND place < (?1 + 1) << 32"
# Of the feed only the beginning goes: no place in it may be missing, and none is used again.
_FORGET_CHANGES = (
    "DELETE FROM feed WHERE place < (SELECT coalesce(min(place), (SELECT max(place) FROM feed))"
    " FROM feed WHERE run IN (SELECT number FROM run))"
)
_NAME = re.compile(rb'"([0-9a-f]{40})"')


class Retention(NamedTuple):
    """How long runs that are over are kept."""

    age_s: float
    statuses: frozenset[str] = TERMINAL


def retention_of(text: str) -> Retention:
    """What ``OUTLAST_RETENTION`` says: an age, and perhaps that runs that failed are kept.

    Raises:
        UserError: It says something else.
    """
    age, *more = text.replace(",", " ").split() or [""]
    age_s = seconds_of(age)
    if age_s is None or more not in ([], ["keep-failed"]):
        raise UserError(
            f"OUTLAST_RETENTION is {text!r}, which is no age. Say a number and a unit (s, m, h, d, w), "
            "as in 30d, or 30d,keep-failed."
        )
    return Retention(age_s, TERMINAL - {"failed"} if more else TERMINAL)


def seconds_of(age: str) -> float | None:
    """How long an age as ``30d`` is; None if it is none, or longer than any calendar."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", age.strip())
    age_s = float(found[1]) * _SECONDS[found[2]] if found else _LONGEST_S
    return age_s if age_s < _LONGEST_S else None


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_S = 10_000 * 365.25 * 86_400


class Pruner:
    """Deletes what is over now and then, in a thread, in a process that holds runs for long."""

    first_s = 60.0
    every_s = 3600.0

    def __init__(self, path: Path, owners: Owners, retention: Retention) -> None:
        self._path = path
        self._owners = owners
        self._retention = retention
        self._began = time.monotonic(), wall_s()
        self._next = self._began[0] + self.first_s

    def prune_if_due(self) -> threading.Thread | None:
        """Begin to prune, if it is time. Returns the thread that does it."""
        now = time.monotonic()
        if now < self._next:
            return None
        self._next = now + self.every_s
        thread = threading.Thread(target=self._prune, name="outlast-prune", daemon=True)
        thread.start()
        return thread

    def _prune(self) -> None:
        try:
            gone = prune_runs(
                self._path,
                self._owners,
                before=self._now() - self._retention.age_s,
                statuses=self._retention.statuses,
                metadata={},
                dry_run=False,
            )
            if gone.run_ids:
                logger.info("Deleted %d runs that are over", len(gone.run_ids))
        except JournalError as error:  # The next time then.
            logger.warning("Runs that are over were not deleted: %s", error)

    def _now(self) -> float:
        """The time, unless the clock has jumped ahead since this process began: what is deleted is gone."""
        mono, wall = self._began
        return min(wall_s(), wall + (time.monotonic() - mono) + _LATE_S)


_LATE_S = 300.0
"""A clock may be corrected by so much, and be believed."""


class Owners(Protocol):
    """Who knows whether those who hold runs live."""

    def is_held(self, db: sqlite3.Connection, row: RunRow) -> bool:
        """Whether somebody performs a run."""
        ...

    def clear(self, db: sqlite3.Connection) -> None:
        """Forget those that are dead."""
        ...


class Pruned(NamedTuple):
    """What was deleted, or would be."""

    run_ids: tuple[str, ...]
    """The runs that nobody else's tool call had begun."""
    children: int
    """How many runs inside them went with them."""
    freed_bytes: int
    """By how much the journal's files are smaller now."""


def delete_run(path: Path, run_id: str, owners: Owners, *, force: bool) -> Pruned:
    """Delete one run and the runs inside it; see `Journal.delete`."""
    return _in_file(path, lambda db: _deleted_one(db, path, run_id, owners, force=force))


def prune_runs(
    path: Path,
    owners: Owners,
    *,
    before: float,
    statuses: Iterable[str],
    metadata: MetadataFilter,
    dry_run: bool,
) -> Pruned:
    """Delete the runs that are older than ``before``; see `Journal.prune`."""

    def work(db: sqlite3.Connection) -> list[list[RunRow]]:
        trees = [
            tree
            for tree in _old_trees(db, before)
            if tree[0].shown in wanted
            and metadata_of(tree[0].metadata).has(**metadata)
            and not any(owners.is_held(db, row) for row in tree)
        ]
        for start in range(0, 0 if dry_run else len(trees), _BATCH):
            _delete(db, path, trees[start : start + _BATCH])
        if not dry_run:
            with transaction(db):
                owners.clear(db)
                db.execute(_FORGET_CHANGES)
        return trees

    wanted = frozenset(names_of("prune(statuses=...)", statuses, STATUSES))
    return _in_file(path, work, shrinks=not dry_run)


def _in_file(
    path: Path, work: Callable[[sqlite3.Connection], list[list[RunRow]]], *, shrinks: bool = True
) -> Pruned:
    try:
        with closing(connect(path, busy_ms=_BUSY_MS)) as db:
            before = _size(path)
            db.execute("PRAGMA secure_delete = ON")  # What is deleted is overwritten, too.
            trees = work(db)
            if shrinks:
                _free_blobs(db)
                _shrink(db)
            freed = max(0, before - _size(path))
    except STORAGE_ERRORS as error:
        raise storage_error(error, path) from error
    roots = tuple(tree[0].id for tree in trees)
    return Pruned(roots, sum(map(len, trees)) - len(roots), freed)


def _deleted_one(
    db: sqlite3.Connection, path: Path, run_id: str, owners: Owners, *, force: bool
) -> list[list[RunRow]]:
    row = find(db, run_id)
    if row is None:
        raise RunNotFound(f"There is no run {run_id!r} in the journal {str(path)!r}.")
    tree = _tree(db, row)
    for each in tree:
        if owners.is_held(db, each):
            raise AlreadyRunning(
                f"Run {each.id!r} is held by {described(each.owner)}, which is alive. Delete it when "
                "that has ended."
            )
    above = find(db, row.parent) if row.parent else None
    needed = next((each for each in (row, above) if each and each.status not in TERMINAL), None)
    if needed is not None and not force:
        raise UserError(
            f"Run {needed.id!r} has not ended (it is {needed.shown}) and would need what is deleted "
            "here to go on. Delete it all the same with force=True."
        )
    _delete(db, path, [tree])
    return [tree]


def _old_trees(db: sqlite3.Connection, before: float) -> list[list[RunRow]]:
    """The runs that no other run needs, and have not changed since, each with those inside it."""
    rows = [checked(fields) for fields in db.execute(_OLD, (int(before * 1e6),)).fetchall()]
    roots = [row for row in rows if not row.parent or find(db, row.parent) is None]
    trees = [_tree(db, row) for row in roots]
    return [tree for tree in trees if all(row.at < before * 1e6 for row in tree)]


def _tree(db: sqlite3.Connection, root: RunRow) -> list[RunRow]:
    tree = [root]
    for row in tree:  # It grows meanwhile: a child's children come behind it.
        tree += [checked(fields) for fields in db.execute(_CHILDREN, (row.id,)).fetchall()]
    return tree


def _delete(db: sqlite3.Connection, path: Path, trees: Sequence[list[RunRow]]) -> None:
    """One transaction. A run that somebody has taken up meanwhile stays, with all of its tree."""
    rows = [row for tree in trees for row in tree]
    with transaction(db):
        for row in rows:
            if db.execute("SELECT seal FROM run WHERE number = ?", (row.number,)).fetchone() != (
                row.seal,
            ):
                raise AlreadyRunning(
                    f"Run {row.id!r} has gone on meanwhile, so nothing was deleted. Try again."
                )
            db.execute(f"DELETE FROM log {_LOG}", (row.number,))  # noqa: S608
            forget_commands(db, row.number)
            forget_accounts(db, row.id)
            db.execute("DELETE FROM run WHERE number = ?", (row.number,))
        # Before the commit: a mark that asks for a deleted run would make the journal a damaged one.
        forget(path, {row.number for row in rows})


def _free_blobs(db: sqlite3.Connection) -> None:
    """Delete the blobs that no log names. Writers go on meanwhile."""
    needed: set[bytes] = set()
    for (body,) in db.execute("SELECT body FROM log"):
        needed.update(_NAME.findall(body))
    now = stamp()
    loose = [
        (name, at)
        for name, at in db.execute("SELECT hash, at FROM blob").fetchall()
        if name.encode() not in needed and is_settled(at, now)
    ]
    for start in range(0, len(loose), _BATCH):
        with transaction(db):  # Whoever had one stored again meanwhile has changed its time.
            batch = loose[start : start + _BATCH]
            db.executemany("DELETE FROM blob WHERE hash = ? AND at = ?", batch)


def _shrink(db: sqlite3.Connection) -> None:
    """Give the space back a little at a time, so that nobody who writes has to wait for long.

    A file of a version that could not do that is written anew, once, which nobody must disturb.
    """
    try:
        if db.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):
            db.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            db.execute("VACUUM")
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        for _ in range(0, free, _PAGES_AT_ONCE):
            # As a script: `execute` would take one step of it, which is one page.
            db.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            time.sleep(_PAUSE_S)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:  # Somebody is busy for too long: the next time then.
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise


def _size(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
