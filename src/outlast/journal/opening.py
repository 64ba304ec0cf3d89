"""Where a program's journal is, and one shared instance of it per process."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

from outlast.core.errors import JournalUnavailable
from outlast.journal.journal import Durability, Journal
from outlast.journal.memory import MemoryJournal
from outlast.journal.sqlite import SqliteJournal


class _Shared(NamedTuple):
    journal: Journal
    place: str = ""
    file: tuple[int, int] | None = None

    def is_current(self) -> bool:
        """Whether it is open, and its file neither deleted nor replaced since."""
        if isinstance(self.journal, SqliteJournal):
            return not self.journal.is_closed and self.file == _identity(self.place)
        return True


_shared: dict[tuple[str, str], _Shared] = {}
_answers: dict[tuple[str | Path, str, str, str], _Shared] = {}
_opening = threading.Lock()


def open_journal(path: str | Path | None = None, durability: Durability = "power") -> Journal:
    """The journal at a place, shared by all of this process that ask for the same one.

    Args:
        path: A file; or "memory", to keep logs as long as the process lives; or "off", to forget
            each with its run. None leaves it to the environment: `OUTLAST_JOURNAL` holds any of
            these, `OUTLAST_HOME` a folder; without them it is `.outlast/journal.db` right here.
        durability: What the logs have to survive.

    Raises:
        JournalUnavailable: The place that was asked for cannot be used. If none was, logs are kept
            in memory instead, with one warning.
        JournalCorrupt: There is something else, or a damaged journal.
    """
    asked = path or os.environ.get("OUTLAST_JOURNAL", "")
    home = "" if asked else os.environ.get("OUTLAST_HOME", "")
    # Every run asks. Resolving the path costs 50 µs; the answer depends on these only.
    here = "" if str(asked or home).startswith(os.sep) else os.getcwd()  # noqa: PTH109  # a Path costs more than the call
    question = (asked, home, here, durability)
    answer = _answers.get(question)
    if answer is None or not answer.is_current():
        with _opening:
            answer = _answers[question] = _found(asked, durability)
    return answer.journal


def _found(asked: str | Path, durability: Durability) -> _Shared:
    if durability == "memory" or asked in ("memory", "off"):
        key = ("off" if asked == "off" else "memory", "memory")
        if key not in _shared:
            _shared[key] = _Shared(MemoryJournal(keep=0 if asked == "off" else 1000))
        return _shared[key]
    place = Path(asked) if asked else _default()
    key = (os.path.realpath(place), durability)
    found = _shared.get(key)
    if found is None or not found.is_current():
        if found is not None:
            _close(found.journal)
        found = _shared[key] = _opened(place, key[0], durability, required=bool(asked))
    return found


def _default() -> Path:
    home = os.environ.get("OUTLAST_HOME")
    return Path(home, "journal.db") if home else Path(".outlast", "journal.db")


def _opened(place: Path, path: str, durability: Durability, *, required: bool) -> _Shared:
    try:
        if not required:
            _make_private(place.parent)
        journal = SqliteJournal(Path(path), durability=durability)
        return _Shared(journal, path, _identity(path))
    except JournalUnavailable as error:
        if required:
            raise
        warnings.warn(
            f"Runs are kept in memory only and will not survive this process: {error}",
            RuntimeWarning,
            stacklevel=4,
        )
        return _Shared(MemoryJournal())


def _make_private(folder: Path) -> None:
    """A folder of our own is nobody else's business, and not the repository's either."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")
    except OSError:  # Opening the journal will fail too, and say why.
        return


def _identity(place: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(place)  # noqa: PTH116  # a Path costs more than the call
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino)


def _close(journal: Journal) -> None:
    if isinstance(journal, SqliteJournal):
        journal.shut()


@atexit.register
def _close_all() -> None:
    """Leave whole files behind rather than logs to recover from."""
    while _shared:
        _close(_shared.popitem()[1].journal)
