"""Copies of a journal and of what stands beside it, made while others write, and put back again.

SQLite's own online backup copies each file as it is at one moment, with what its write-ahead log has. A
copy is looked through before it is kept: a backup that cannot be read is none.
"""

from __future__ import annotations

import sqlite3
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from outlast.core.errors import JournalCorrupt, JournalUnavailable, UserError
from outlast.journal.files import HELPERS, helper, make_private

JOURNAL = "journal.db"
BESIDE = ("sessions.db", "server.db", "keys.db")
"""What a server keeps beside the journal: conversations, schedules, and the hashes of keys."""


def back_up(journal: Path, archive: Path) -> Sequence[str]:
    """Write a journal, and the files beside it, into an archive. The names of what is in it.

    Who writes meanwhile is not held up. An archive of that name is replaced once the new one is whole.

    Raises:
        UserError: There is no journal.
        JournalCorrupt: A file is damaged.
        JournalUnavailable: The archive cannot be written.
    """
    if not journal.is_file():
        raise UserError(f"There is no journal {str(journal)!r}, so nothing to back up.")
    files = {JOURNAL: journal} | {
        name: journal.with_name(name) for name in BESIDE if journal.with_name(name).is_file()
    }
    try:
        with tempfile.TemporaryDirectory(dir=archive.absolute().parent) as folder:
            new = Path(folder) / "archive"
            new.touch(0o600)
            _pack(files, new)
            new.replace(archive)
    except OSError as error:
        raise JournalUnavailable(
            f"The archive {str(archive)!r} cannot be written: {error.strerror}."
        ) from error
    return list(files)


def _pack(files: Mapping[str, Path], archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        for name, file in files.items():
            copy = archive.with_name(name)
            _copy(file, copy)
            tar.add(copy, name)


def restore(archive: Path, journal: Path) -> Sequence[str]:
    """Put back what an archive has. The names of the files.

    Raises:
        UserError: The archive is none, or there is something in its place already.
        JournalCorrupt: A file in it is damaged.
        JournalUnavailable: Files cannot be written there.
    """
    try:
        if not journal.parent.exists():
            make_private(journal.parent)
        with tarfile.open(archive) as tar:
            return _put_back(tar, journal)
    except (tarfile.TarError, EOFError) as error:
        raise UserError(
            f"{str(archive)!r} is no archive that `outlast backup` has made."
        ) from error
    except OSError as error:
        raise JournalUnavailable(f"Nothing can be restored: {error.strerror or error}.") from error


def _put_back(tar: tarfile.TarFile, journal: Path) -> Sequence[str]:
    targets = {JOURNAL: journal} | {name: journal.with_name(name) for name in BESIDE}
    found = [name for name in tar.getnames() if name in targets]
    if JOURNAL not in found:
        raise UserError(f"This is no backup of a journal: it has no {JOURNAL}.")
    _require_free([targets[name] for name in found])
    with tempfile.TemporaryDirectory(dir=journal.parent) as folder:
        for name in found:
            tar.extract(name, folder, filter="data")
            _check(Path(folder) / name)
        for name in reversed(found):  # The journal last: with it, all is there.
            (Path(folder) / name).chmod(0o600)
            (Path(folder) / name).replace(targets[name])
    return found


def _copy(file: Path, to: Path) -> None:
    to.touch(0o600)
    try:
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(to)) as copy,
        ):
            source.backup(copy)
    except sqlite3.DatabaseError as error:
        raise JournalCorrupt(f"{file.name} cannot be copied: {error}.") from error
    _check(to)


def _check(file: Path) -> None:
    try:
        with closing(sqlite3.connect(file)) as db:
            (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        raise JournalCorrupt(f"The copy of {file.name} is damaged: {said}. Nothing was replaced.")


def _require_free(targets: Sequence[Path]) -> None:
    every = [each for file in targets for each in (file, *(helper(file, end) for end in HELPERS))]
    if there := [each for each in every if each.exists()]:
        raise UserError(
            f"There is {str(there[0])!r} already. Stop what uses it and move it away, or restore to another "
            "place with OUTLAST_HOME."
        )
