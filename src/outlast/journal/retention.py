"""Delete runs that are over, with all that only they used, and give the space back.

A run goes with the runs inside it. What is open (running, waiting, abandoned) stays unless that is
forced, and what a living process holds stays in any case. A blob goes when no log names it any more
and nobody has had it stored for two minutes: other processes remember for one that they need not.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from outlast.core.errors import AlreadyRunning, RunNotFound, UserError
from outlast.journal.blobs import FRESH_S
from outlast.journal.codec import metadata_of
from outlast.journal.database import STORAGE_ERRORS, connect, storage_error
from outlast.journal.inbox import forget_commands
from outlast.journal.journal import TERMINAL, MetadataFilter
from outlast.journal.mark import forget
from outlast.journal.owner import pid_of
from outlast.journal.rows import COLUMNS, RunRow, checked, find

_BUSY_MS = 10_000
_BATCH = 100
_OLD = f"SELECT {COLUMNS} FROM run WHERE at < ? ORDER BY number"  # noqa: S608  # our own names
_CHILDREN = f"SELECT {COLUMNS} FROM run WHERE parent = ? AND parent <> ''"  # noqa: S608
_LOG = "WHERE place >= ?1 << 32 AND place < (?1 + 1) << 32"
_BODIES = f"SELECT body FROM log {_LOG}"  # noqa: S608
_NAME = re.compile(rb'"([0-9a-f]{40})"')

IsHeld = Callable[[RunRow], bool]


class Pruned(NamedTuple):
    """What was deleted, or would be."""

    run_ids: tuple[str, ...]
    """The runs that nobody else's tool call had begun."""
    children: int
    """How many runs inside them went with them."""
    freed_bytes: int
    """By how much the journal's files are smaller now."""


def delete_run(path: Path, run_id: str, is_held: IsHeld, *, force: bool) -> Pruned:
    """Delete one run and the runs inside it; see `Journal.delete`."""
    return _in_file(path, lambda db: _deleted_one(db, path, run_id, is_held, force=force))


def prune_runs(
    path: Path,
    is_held: IsHeld,
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
            and not any(is_held(row) for row in tree)
        ]
        for start in range(0, 0 if dry_run else len(trees), _BATCH):
            _delete(db, path, trees[start : start + _BATCH])
        return trees

    wanted = frozenset(statuses)
    return _in_file(path, work, shrinks=not dry_run)


def _in_file(
    path: Path, work: Callable[[sqlite3.Connection], list[list[RunRow]]], *, shrinks: bool = True
) -> Pruned:
    try:
        with closing(connect(path, busy_ms=_BUSY_MS)) as db:
            before = _size(path)
            trees = work(db)
            if shrinks and trees:
                _shrink(db)
            freed = max(0, before - _size(path))
    except STORAGE_ERRORS as error:
        raise storage_error(error, path) from error
    roots = tuple(tree[0].id for tree in trees)
    return Pruned(roots, sum(map(len, trees)) - len(roots), freed)


def _deleted_one(
    db: sqlite3.Connection, path: Path, run_id: str, is_held: IsHeld, *, force: bool
) -> list[list[RunRow]]:
    row = find(db, run_id)
    if row is None:
        raise RunNotFound(f"There is no run {run_id!r} in the journal {str(path)!r}.")
    tree = _tree(db, row)
    for each in tree:
        if is_held(each):
            raise AlreadyRunning(
                f"Run {each.id!r} is held by process {pid_of(each.owner)}, which is alive. Delete it "
                "when that has ended."
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
    names: set[str] = set()
    db.execute("BEGIN IMMEDIATE")
    try:
        for row in rows:
            if db.execute("SELECT seal FROM run WHERE number = ?", (row.number,)).fetchone() != (
                row.seal,
            ):
                raise AlreadyRunning(
                    f"Run {row.id!r} has gone on meanwhile, so nothing was deleted. Try again."
                )
            for (body,) in db.execute(_BODIES, (row.number,)):
                names.update(name.decode() for name in _NAME.findall(body))
            db.execute(f"DELETE FROM log {_LOG}", (row.number,))  # noqa: S608
            forget_commands(db, row.number)
            db.execute("DELETE FROM run WHERE number = ?", (row.number,))
        _free_blobs(db, names)
        # Before the commit: a mark that asks for a deleted run would make the journal a damaged one.
        forget(path, {row.number for row in rows})
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _free_blobs(db: sqlite3.Connection, names: set[str]) -> None:
    """Delete those of the blobs that no log names."""
    if names:
        for (body,) in db.execute("SELECT body FROM log"):
            names.difference_update(name.decode() for name in _NAME.findall(body))
    oldest = (time.time() - 2 * FRESH_S) * 1e6
    about = [(name, int(oldest)) for name in sorted(names)]
    db.executemany("DELETE FROM blob WHERE hash = ? AND at < ?", about)


def _shrink(db: sqlite3.Connection) -> None:
    """Give the space back, if nobody else is in the middle of something: the next time then."""
    try:
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise


def _size(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
