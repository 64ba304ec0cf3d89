"""How far a journal is known to reach, kept beside it.

SQLite takes a write-ahead log that is missing or cut short for one that ended there, and goes back
to an earlier state without a word. So the place of the newest append also stands in a small file of
its own, and whoever opens the journal looks whether that append is still there.

The file is mapped memory, as SQLite's own -shm is: noting a place takes 0.1 µs and outlives the
process. It is noted after the commit, so it may lag behind, but never runs ahead.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from zlib import crc32

from outlast.journal.owner import this_process

_SYNCED, _BOOT, _WRITTEN = range(3)
"""The newest place that was synced; the machine's boot; the newest that was committed in it.

A restart of the machine may take what was not synced, so only the first is believed after one.
"""
_SIZE = 3 * 8


class Mark:
    """The newest append of a journal. Several processes may note theirs; the last one stays."""

    def __init__(self, journal: Path) -> None:
        """Open or make the mark of a journal. Where no file can be, nothing is noted."""
        self._path = mark_of(journal)
        self._wal = journal.with_name(f"{journal.name}-wal")
        try:
            self._map: mmap.mmap | None = _mapped(self._path)
        except (OSError, ValueError):
            self._map = None
        self._places = memoryview(self._map or bytearray(_SIZE)).cast("q")
        boot = _boot()
        if self._places[_BOOT] != boot:
            self._places[_WRITTEN] = 0  # First: a place must never stand beside another boot.
            self._places[_BOOT] = boot

    def note(self, place: int, *, synced: bool) -> None:
        """The append at `place` is committed, and on disk if `synced`."""
        self._places[_SYNCED if synced else _WRITTEN] = place

    def close(self) -> None:
        """Put it down. When the write-ahead log is gone too, all is in the journal itself."""
        self._places.release()
        if self._map is not None:
            self._map.close()
            with contextlib.suppress(OSError):
                if not self._wal.exists():
                    self._path.unlink(missing_ok=True)


def mark_of(journal: Path) -> Path:
    """Where the mark of a journal is kept."""
    return journal.with_name(f"{journal.name}-mark")


def noted(journal: Path) -> list[int]:
    """The places in `log` that a journal must hold. Read them before the journal itself."""
    try:
        content = mark_of(journal).read_bytes()
    except OSError:
        return []
    if len(content) < _SIZE:  # Not ours, or of a process that died while it made it.
        return []
    places = memoryview(content)[:_SIZE].cast("q")
    is_this_boot = places[_BOOT] == _boot() != 0
    return [place for place in (places[_SYNCED], is_this_boot and places[_WRITTEN]) if place]


def _mapped(path: Path) -> mmap.mmap:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(file).st_size < _SIZE:
            os.write(file, bytes(_SIZE))  # Written, not reserved: a full disk is noticed here.
        return mmap.mmap(file, _SIZE)
    finally:
        os.close(file)


def _boot() -> int:
    """The machine's boot; 0 where it does not say."""
    name = this_process().partition(":")[0]
    return crc32(name.encode()) if name else 0
