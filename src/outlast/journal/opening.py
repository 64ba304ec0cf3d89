"""Where a program's journal is, and one shared instance of it per process.

A place is settled once per process, when it is first asked for. A tool that changes the working
directory or the environment while a run is open moves no journal: the next run, and a run inside
the tool, must find what this one wrote.
"""

from __future__ import annotations

import atexit
import errno
import os
import threading
import warnings
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from outlast.core.errors import JournalUnavailable, UserError
from outlast.definitions.forks import at_fork, take
from outlast.journal.files import make_private
from outlast.journal.journal import Durability, Journal
from outlast.journal.memory import MemoryJournal
from outlast.journal.retention import Pruner, retention_of
from outlast.journal.sqlite import SqliteJournal

JOURNALS = "outlast.journals"
"""The entry points that open journals by URL: their names are schemes, they take the URL."""
_NOWHERE = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT}
"""Why no journal can be made at the default place, for good. All else may pass, and is an error."""


class _Shared(NamedTuple):
    journal: Any  # SqliteJournal, MemoryJournal, or one of another package
    place: str = ""
    file: tuple[int, int] | None = None

    def is_current(self) -> bool:
        """Whether it is open, and its file neither deleted nor replaced since."""
        if isinstance(self.journal, SqliteJournal):
            return not self.journal.is_closed and self.file == _identity(self.place)
        return True


class _Places:
    """What this process has settled."""

    def __init__(self) -> None:
        self.shared: dict[tuple[str, str], _Shared] = {}
        self.answers: dict[tuple[str | Path, str, str], _Shared] = {}
        self.paths: dict[tuple[str | Path, str], str] = {}
        """Absolute ones, by what was asked for and by `OUTLAST_HOME`."""
        self.default: tuple[str, str] | None = None
        """`OUTLAST_JOURNAL` and `OUTLAST_HOME` as they were when the default was settled."""
        self.passed_over: set[tuple[str, str]] = set()
        """What the environment said in the middle of a run."""
        self.has_warned = False
        self.opening = threading.Lock()
        at_fork(self)

    def before_fork(self) -> None:
        take(self.opening)

    def in_child(self) -> None:
        self.opening = threading.Lock()


_places = _Places()


def open_journal(path: str | Path | None = None, durability: Durability = "power") -> Journal:
    """The journal at a place, shared by all of this process that ask for the same one.

    A path that is not absolute, and the default, are looked for in the working directory of the
    first call that asks for them, and stay there whatever becomes of the working directory.

    Args:
        path: A file; or a URL that an installed package knows, such as `temporal://...`; or "memory", to
            keep logs as long as the process lives; or "off", to forget
            each with its run. None leaves it to the environment: `OUTLAST_JOURNAL` holds any of
            these, `OUTLAST_HOME` a folder; without them it is `.outlast/journal.db` right here.
        durability: What the logs have to survive.

    Raises:
        JournalUnavailable: The place cannot be used. Only where none was asked for, and none was
            ever there, logs are kept in memory instead, with one warning.
        JournalCorrupt: There is something else, or a damaged journal.
        StorageBusy: Another process has it locked. Try again.
        UserError: The path is one that no file can have, or a word that means none.
    """
    wanted, home = (path, "") if path else _default()
    # Every run asks. Resolving the path costs 50 µs; the answer depends on these only.
    question = (wanted, home, durability)
    answer = _places.answers.get(question)
    if answer is None or not answer.is_current():
        with _places.opening:
            answer = _places.answers[question] = _found(wanted, home, durability)
    return answer.journal


def place_journal(url: str, journal: Journal) -> None:
    """Have a URL name a journal that is open already."""
    _places.shared[(url, "elsewhere")] = _Shared(journal)


def close_journals() -> None:
    """Close every shared journal of this process, and forget where they were.

    For tests and for programs that begin anew in another directory or environment.
    """
    global _places  # noqa: PLW0603  # what is settled once per process begins anew
    _close_all()
    _places = _Places()


def _check_path(path: str) -> None:
    try:
        is_fine = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_fine = False
    if not is_fine:
        raise UserError(
            f"A journal cannot be kept at {path!r}: a path has no NUL, and no half of a surrogate pair. "
            "Name another file in RunConfig(journal=...)."
        )


def _default() -> tuple[str, str]:
    """What the environment asked for when the default was settled, or between two runs since."""
    places, now = _places, _environment()
    if now == places.default:
        return now
    if places.default is not None and (now in places.passed_over or _is_in_use(places.default)):
        places.passed_over.add(now)
        return places.default
    places.default = now
    return now


def _environment() -> tuple[str, str]:
    named = os.environ.get("OUTLAST_JOURNAL", "")
    return named, "" if named else os.environ.get("OUTLAST_HOME", "")


def _is_in_use(default: tuple[str, str]) -> bool:
    return any(
        question[:2] == default and answer.journal.holds_runs()
        for question, answer in list(_places.answers.items())
    )


def _pass_over() -> None:
    """A run of the default journal has ended: what it did to the environment moves no other."""
    now = _environment()
    if _places.default is not None and now != _places.default:
        _places.passed_over.add(now)


def _found(wanted: str | Path, home: str, durability: Durability) -> _Shared:
    shared = _places.shared
    if durability == "memory" or wanted in ("memory", "off"):
        key = ("off" if wanted == "off" else "memory", "memory")
        if key not in shared:
            shared[key] = _Shared(MemoryJournal(keep=0 if wanted == "off" else 1000))
        return shared[key]
    if "://" in str(wanted):
        key = (str(wanted), "elsewhere")
        if key not in shared:
            shared[key] = _Shared(_elsewhere(str(wanted)))
        return shared[key]
    place = _settled(wanted, home)
    key = (place, durability)
    found = shared.get(key)
    if found is None or not found.is_current():
        if found is not None:
            _close(found.journal)
        found = shared[key] = _opened(wanted, home, Path(place), durability)
    return found


def _elsewhere(url: str) -> Any:
    """The journal that a URL names, opened by whichever installed package knows the scheme."""
    scheme = url.partition("://")[0]
    known = entry_points(group=JOURNALS)
    if scheme not in known.names:
        names = ", ".join(sorted(known.names)) or "none"
        raise UserError(
            f"No installed package opens journals that are named {scheme}://...; known schemes: {names}. A "
            "package offers one by the entry point group 'outlast.journals'."
        )
    return known[scheme].load()(url)


def _check_word(wanted: str | Path, path: str) -> None:
    """Refuse a word that means no file, unless there is one of that name."""
    word = str(wanted).strip().lower()
    meant = next((mode for mode, words in _MEANT.items() if word in words), None)
    if isinstance(wanted, str) and meant is not None and not Path(path).exists():
        raise UserError(
            f"A journal is a file, a URL, 'memory' or 'off', got {wanted!r}. Did you mean {meant!r}? For a "
            f"file of that name write './{wanted}'."
        )


_MEANT = {
    "off": ("none", "no", "false", "0", "disabled", "null", "nil", "disable"),
    "memory": (":memory:", "mem", "ram", "in-memory", "in_memory", "inmemory"),
}  # fmt: skip


def _settled(wanted: str | Path, home: str) -> str:
    """The absolute path of a place, the same for the whole process."""
    path = _places.paths.get((wanted, home))
    if path is None:
        _check_path(str(wanted))
        try:
            if wanted:  # Whoever names a place may name it by a link.
                path = os.path.realpath(wanted)
                _check_word(wanted, path)
            elif home:
                path = os.path.join(os.path.realpath(home), "journal.db")  # noqa: PTH118
            else:
                path = os.path.join(os.path.realpath(Path.cwd()), ".outlast", "journal.db")  # noqa: PTH118
        except OSError as error:
            raise JournalUnavailable(
                "There is no working directory to look for a journal in (it was removed). Name the "
                "place with an absolute OUTLAST_HOME or RunConfig(journal=...)."
            ) from error
        _places.paths[(wanted, home)] = path
    return path


def _opened(wanted: str | Path, home: str, path: Path, durability: Durability) -> _Shared:
    try:
        if not wanted:
            make_private(path.parent)
        journal = SqliteJournal(path, durability=durability)
        if keeps := os.environ.get("OUTLAST_RETENTION"):
            journal.pruner = Pruner(path, journal, retention_of(keeps))
    except JournalUnavailable as error:
        if wanted or home or not _is_nowhere(path, error):
            raise
        if not _places.has_warned:
            _places.has_warned = True
            warnings.warn(
                f"Runs are kept in memory only and will not survive this process: {error}",
                RuntimeWarning,
                stacklevel=5,
            )
        return _Shared(MemoryJournal())
    if not wanted or wanted == _environment()[0]:
        journal.on_release = _pass_over
    return _Shared(journal, str(path), _identity(str(path)))


def _is_nowhere(path: Path, error: JournalUnavailable) -> bool:
    """Whether no journal was ever at ``path`` and none can be made there."""
    reason = error.__cause__
    if not isinstance(reason, OSError) or reason.errno not in _NOWHERE:
        return False
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


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
    while _places.shared:
        _close(_places.shared.popitem()[1].journal)
