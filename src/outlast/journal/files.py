"""The files of a journal: private to their owner, and never opened through a link.

A folder may have been made by somebody else, as in a cloned repository. Opening a file there for
writing must not reach a file outside of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from outlast.core.errors import JournalCorrupt, JournalUnavailable

HELPERS = ("-wal", "-shm", "-mark", "-journal")
_PRIVATE = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)


def helper(journal: Path, end: str) -> Path:
    """A file that stands beside a journal."""
    return journal.with_name(journal.name + end)


def is_there(journal: Path) -> bool:
    """Whether there is a journal, which can be opened without reaching anything else.

    Raises:
        JournalCorrupt: Its write-ahead log is there without it.
        JournalUnavailable: There is something else in its place, or in that of its helpers.
        OSError: Nobody can say.
    """
    leftovers = {end: _is_file(helper(journal, end), is_helper=True) for end in HELPERS}
    if _is_file(journal, is_helper=False):
        return True
    wal = helper(journal, "-wal")
    if leftovers["-wal"] and wal.exists() and wal.stat().st_size:
        raise JournalCorrupt(
            f"The journal {str(journal)!r} is gone, but its write-ahead log {wal.name!r} is there. "
            "Put the journal back, or delete the log too to begin a new one."
        )
    return False


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that is nobody else's business.

    Raises:
        OSError: It cannot be opened, or is a link.
    """
    return os.open(path, flags | _PRIVATE, 0o600)


def make_private(folder: Path) -> None:
    """A folder of our own is nobody else's business, and not the repository's either."""
    if folder.is_symlink():
        raise JournalUnavailable(
            f"{str(folder)!r} is a symbolic link. Journals are not looked for through links that a "
            "folder came with; name the place with OUTLAST_HOME or RunConfig(journal=...)."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            file = open_private(folder / ".gitignore", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            try:
                os.write(file, b"*\n")
            finally:
                os.close(file)
    except OSError:  # Opening the journal will fail too, and say why.
        return
    for name in ("", ".gitignore", "journal.db", *(f"journal.db{end}" for end in HELPERS)):
        _take_from_others(folder / name if name else folder)


def _take_from_others(path: Path) -> None:
    """Whoever could read it so far cannot any more."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        is_ours = hasattr(os, "getuid") and found.st_uid == os.getuid()
        if is_ours and not stat.S_ISLNK(found.st_mode) and found.st_mode & 0o077:
            path.chmod(stat.S_IMODE(found.st_mode) & ~0o077)


def _is_file(path: Path, *, is_helper: bool) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        kind = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory"}
        raise JournalUnavailable(
            f"{str(path)!r} is {kind.get(stat.S_IFMT(found.st_mode), 'no file')}, where a journal "
            "has a file of its own. Remove it, or choose another place with OUTLAST_HOME or "
            "RunConfig(journal=...)."
        )
    if is_helper and found.st_nlink > 1:
        raise JournalUnavailable(
            f"{str(path)!r} has another name elsewhere (a hard link), so writing to it would change "
            "another file. Copy the journal to a place of its own."
        )
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Have ``path`` hold ``data``, on disk, in place of what it held.

    Raises:
        OSError: It cannot be written. What was there is unchanged.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
