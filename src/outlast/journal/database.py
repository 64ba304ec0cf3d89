"""The SQLite file: made whole or not at all, opened, checked, and its errors in our words."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Generator
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from outlast.core.errors import (
    IncompatibleRun,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    StorageBusy,
    StorageFull,
)
from outlast.journal.files import helper, is_there
from outlast.journal.mark import mark_of, noted

_APPLICATION = 0x486F6C64  # "Hold"
LAYOUT = 7
"""Of the tables in `schema.sql` and what was added. Raise it with every change; a test remembers each."""
_ADDED = {4: "inbox.sql", 5: "feed.sql", 6: "accounts.sql"}
"""What makes a file of an older layout one of the next. It adds, and changes nothing that is there."""
_OPEN_BUSY_MS = 10_000
_CHECK_BYTES_MAX = 16 * 2**20
_WAL_BYTES_MAX = 16 * 2**20
_WAL_BYTES_LONG = 6 * 2**20
"""With two writers, each of which looks after every 4 MiB, it mostly stays below the 16 MiB then."""
_TABLES = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
_EMPTY_BUSY_MS = 1000

_BUSY = (StorageBusy, "is locked by another process for too long. Try again")
_DAMAGED = (JournalCorrupt, "is damaged. Restore it from a copy")
_ERRORS: dict[int, tuple[type[JournalError], str]] = {
    sqlite3.SQLITE_FULL: (
        StorageFull,
        "has no space left. Free some; nothing was lost or half written",
    ),
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    # A process that was stopped while it held a lock of the write-ahead log.
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_READONLY: (
        JournalUnavailable,
        "cannot be written. Make the file and its folder writable",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        JournalUnavailable,
        "cannot be opened. Check the path, its permissions and the limit of open files",
    ),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_FORMAT: _DAMAGED,
    sqlite3.SQLITE_CONSTRAINT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: (JournalCorrupt, "is not a database. Restore it from a copy"),
    sqlite3.SQLITE_ERROR: (
        JournalCorrupt,
        "lacks a table or a column, or is damaged. Restore it from a copy",
    ),
}


STORAGE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises; the latter for a message that quotes a damaged name."""


def storage_error(error: Exception, path: Path, what: str = "journal") -> JournalError:
    """What an error of SQLite means for the caller. ``what`` names the file's use."""
    if isinstance(error, UnicodeDecodeError):
        return JournalCorrupt(f"The {what} {str(path)!r} is damaged. Restore it from a copy.")
    code = getattr(error, "sqlite_errorcode", None)  # Errors of the module itself have none.
    kind, advice = _ERRORS.get(-1 if code is None else code & 0xFF, (JournalUnavailable, "failed"))
    return kind(f"The {what} {str(path)!r} {advice} (SQLite: {error}).")


def closed_error(path: Path, run_id: str = "") -> JournalUnavailable:
    """The error for who uses a journal that was closed."""
    run = (
        f"while run {run_id!r} was open. What it committed is safe; resume it with"
        if run_id
        else "; use"
    )
    error = JournalUnavailable(
        f"The journal {str(path)!r} was closed {run} a journal that is open."
    )
    error.run_id = run_id
    return error


def prepare(path: Path, *, is_known: bool = False) -> None:
    """Make sure that there is a sound journal at `path`.

    Args:
        path: The file.
        is_known: Whether this process has looked through all of it before.

    Raises:
        JournalCorrupt: What is there is damaged, or is not a journal.
        JournalUnavailable: There is none and none can be made.
    """
    try:
        if not is_there(path):
            _create(path)
        size = path.stat().st_size
    except OSError as error:
        raise JournalUnavailable(
            f"No journal can be used at {str(path)!r}: {error.strerror}. Choose another place with "
            "OUTLAST_HOME or RunConfig(journal=...), or OUTLAST_JOURNAL=memory for none."
        ) from error
    if not size:
        raise JournalCorrupt(
            f"The journal {str(path)!r} is empty, which no journal ever is. Restore it from a copy, "
            "or delete it together with its -wal and -shm files to begin a new one."
        )
    _check(path, thoroughly=size <= _CHECK_BYTES_MAX and not is_known)


def connect(path: Path, *, busy_ms: int, read_only: bool = False) -> sqlite3.Connection:
    """A connection for use under a lock. It leaves checkpoints and transactions to its user."""
    db = _opened(path)
    db.execute(f"PRAGMA busy_timeout = {busy_ms}")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute(
        "PRAGMA temp_store = MEMORY"
    )  # Statements with triggers begin journals of their own.
    db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_MAX}")
    if read_only:
        db.execute("PRAGMA query_only = ON")
    return db


class Connection(sqlite3.Connection):
    """A connection that is closed when nobody has it any more. Since Python 3.13 others warn then."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.ProgrammingError):  # It was never opened.
            self.close()


def _opened(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there: SQLite would make an empty one."""
    name = quote(str(path.absolute()), errors="surrogateescape")
    return sqlite3.connect(
        f"file:{name}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """A block whose writes are all made, or none where it raises. Nobody else writes meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def checkpoint(path: Path, lock: threading.Lock) -> None:
    """Copy the write-ahead log into the database, beside the writers as long as it is short.

    Writers that never pause would let the log grow for ever; past 6 MiB they have to wait, those of
    other processes too, until what little is left is copied, and it begins anew.
    """
    wal = helper(path, "-wal")
    try:
        with contextlib.closing(connect(path, busy_ms=100)) as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            if wal.stat().st_size <= _WAL_BYTES_LONG:
                return
            with lock:
                db.execute(f"PRAGMA busy_timeout = {_EMPTY_BUSY_MS}")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (sqlite3.Error, OSError):  # The disk may be full or gone. The next append will say so.
        return


def _create(path: Path) -> None:
    """Put a complete journal in place in one step, however many processes try at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.new")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        db = sqlite3.connect(draft, isolation_level=None)
        try:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # So that `prune` stops no writer.
            db.executescript(_schema())
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {LAYOUT}")
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            raise storage_error(error, path) from error
        finally:
            db.close()
        mark_of(path).unlink(missing_ok=True)  # Of a journal that was deleted.
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # A file system without links; there a rename has to do.
        if not path.exists():
            draft.rename(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _check(path: Path, *, thoroughly: bool) -> None:
    places = noted(path)
    db = _opened(path)
    try:
        db.execute(f"PRAGMA busy_timeout = {_OPEN_BUSY_MS}")
        application = db.execute("PRAGMA application_id").fetchone()[0]
        layout = db.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise JournalCorrupt(
                f"{str(path)!r} is a database, but no Outlast journal. Choose another place."
            )
        if layout in _ADDED:
            layout = _upgraded(db)
        _check_layout(path, layout)
        _check_tables(path, db)
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0] if thoroughly else "ok"
        if verdict != "ok":
            raise JournalCorrupt(
                f"The journal {str(path)!r} is damaged ({verdict}). Restore it from a copy."
            )
        _check_reach(path, db, places)
    except STORAGE_ERRORS as error:
        raise storage_error(error, path) from error
    finally:
        db.close()


def _check_layout(path: Path, layout: int) -> None:
    if layout == LAYOUT:
        return
    advice = (
        "Upgrade Outlast to use it."
        if layout > LAYOUT
        else "Finish its runs with the Outlast that made it, or choose another file with "
        "OUTLAST_HOME or RunConfig(journal=...)."
    )
    raise IncompatibleRun(
        f"The journal {str(path)!r} has layout {layout}; this Outlast reads {LAYOUT}. {advice}"
    )


def _upgraded(db: sqlite3.Connection) -> int:
    """The layout of a file of an older version, which now has what was added since.

    Processes of that version may have it open, and go on with it.
    """
    with transaction(db):
        layout = db.execute("PRAGMA user_version").fetchone()[0]
        while layout in _ADDED:
            for statement in _statements(_text(_ADDED[layout])):
                db.execute(statement)
            layout += 1
            db.execute(f"PRAGMA user_version = {layout}")
    return layout


def _statements(script: str) -> Generator[str]:
    """One by one: running a script as a whole would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _check_tables(path: Path, db: sqlite3.Connection) -> None:
    """The tables are made of what `schema.sql` says: a flipped bit there makes other tables of them."""
    (mode,) = db.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal" and _bare(db.execute(_TABLES).fetchall()) == _tables():
        return
    raise JournalCorrupt(
        f"The tables of the journal {str(path)!r} are not those that it was made with. Restore it from "
        "a copy."
    )


@lru_cache(maxsize=1)
def _tables() -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_schema())
        return _bare(db.execute(_TABLES).fetchall())


def _bare(tables: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without comments and spaces, which SQLite keeps as they were in the version that made a table."""
    return [(*names, "".join(re.sub("--.*", "", sql or "").split())) for *names, sql in tables]


def _schema() -> str:
    return "".join(map(_text, ("schema.sql", *_ADDED.values())))


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def _check_reach(path: Path, db: sqlite3.Connection, places: list[int]) -> None:
    """Refuse a journal that lacks what was committed last."""
    for place in places:
        number, revision = place >> 32, place & 0xFFFFFFFF
        found = db.execute("SELECT revision FROM run WHERE number = ?", (number,)).fetchone()
        if found is None or found[0] < revision:
            raise JournalCorrupt(
                f"The journal {str(path)!r} has gone back to an earlier state: it was written to "
                f"after that. Its write-ahead log {path.name + '-wal'!r} was deleted or cut short, or "
                "the file was replaced by an older one. Put the lost file back, or restore a copy. "
                f"To go on without what is lost, delete {mark_of(path).name!r}."
            )
