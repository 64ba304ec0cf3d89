"""How far a journal is known to reach, kept beside it.

SQLite takes a write-ahead log that is missing or cut short for one that ended there, and goes back
to an earlier state without a word. So which run was changed last, and how often it was, also stands
in a small file of its own, and whoever opens the journal looks whether it is at least that far.

A place is written after the commit, so it may lag behind, but never runs ahead. It is written to the
file and not to mapped memory, so that a file which somebody cuts short is no SIGBUS: 1 µs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from pathlib import Path
from zlib import crc32

from outlast.core.errors import JournalCorrupt, JournalUnavailable
from outlast.journal.files import helper, open_private
from outlast.journal.owner import boot

_SYNCED, _BOOT, _WRITTEN = range(3)
"""The newest place that was synced; the machine's boot; the newest that was committed in it.

A restart of the machine may take what was not synced, so only the first is believed after one.
"""
_FORM = struct.Struct("<3q")
_place = struct.Struct("<q").pack


class Mark:
    """The newest change of a journal. Several processes may note theirs; the last one stays."""

    def __init__(self, journal: Path) -> None:
        """Open or make the mark of a journal. Where no file can be, nothing is noted.

        Raises:
            JournalUnavailable: There is a link in its place.
        """
        self._path = mark_of(journal)
        self._wal = helper(journal, "-wal")
        self._file = _opened(self._path)
        if self._file < 0:
            return
        if not os.fstat(self._file).st_size:
            os.pwrite(self._file, bytes(_FORM.size), 0)
        if _read(self._file)[_BOOT] != _boot():
            self._put(_WRITTEN, 0)  # First: a place must never stand beside another boot.
            self._put(_BOOT, _boot())

    def note(self, place: int, *, synced: bool) -> None:
        """The change at `place`, a run's number * 2^32 + its revision, is committed, and on disk if `synced`."""
        if self._file >= 0:
            self._put(_SYNCED if synced else _WRITTEN, place)

    def close(self) -> None:
        """Put it down. When the write-ahead log is gone too, all is in the journal itself."""
        if self._file < 0:
            return
        self.leave()
        with contextlib.suppress(OSError):
            if not self._wal.exists():
                self._path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Put it down and leave the file as it is: it is another process's."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _put(self, at: int, place: int) -> None:
        with contextlib.suppress(OSError):  # A full disk: the next append will say so.
            os.pwrite(self._file, _place(place), at * 8)


def mark_of(journal: Path) -> Path:
    """Where the mark of a journal is kept."""
    return helper(journal, "-mark")


def noted(journal: Path) -> list[int]:
    """The places that a journal must hold. Read them before the journal itself.

    Raises:
        JournalCorrupt: The mark was cut short.
    """
    try:
        file = open_private(mark_of(journal), os.O_RDONLY)
    except OSError:
        return []
    try:
        size = os.fstat(file).st_size
        if not size:  # Of a process that died while it made it.
            return []
        if size != _FORM.size:
            raise JournalCorrupt(
                f"The file {mark_of(journal).name!r} beside the journal {str(journal)!r} has {size} "
                f"bytes and not {_FORM.size}: it was damaged. Restore it from a copy together with "
                "the journal. To go on without knowing whether something is lost, delete it."
            )
        places = _read(file)
    finally:
        os.close(file)
    is_this_boot = places[_BOOT] == _boot() != 0
    return [place for place in (places[_SYNCED], is_this_boot and places[_WRITTEN]) if place]


def forget(journal: Path, numbers: set[int]) -> None:
    """These runs are about to be deleted: nothing has to be found of them any more."""
    try:
        file = open_private(mark_of(journal), os.O_RDWR)
    except OSError:
        return
    try:
        for at in (_SYNCED, _WRITTEN):
            if _read(file)[at] >> 32 in numbers:
                os.pwrite(file, _place(0), at * 8)
    finally:
        os.close(file)


def _read(file: int) -> tuple[int, ...]:
    return _FORM.unpack(os.pread(file, _FORM.size, 0).ljust(_FORM.size, b"\0"))


def _opened(path: Path) -> int:
    try:
        return open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise JournalUnavailable(
                f"{str(path)!r} is a symbolic link, where a journal has a file of its own. Remove it."
            ) from error
        return -1


def _boot() -> int:
    """The machine's boot; 0 where it does not say."""
    return crc32(boot().encode()) if boot() else 0
