"""Journals that nobody uses put their files down: a program may have one for each of its tenants.

A journal in use has up to a dozen open files. Of those that hold no run and have nothing to write,
only the ones used last stay open, as many as the process's limit of open files has room for. The
others close every file and are opened again by whoever uses them next. Nothing about them is
forgotten meanwhile: who holds runs, what a loop waits for and what is stored stay as they are.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import OrderedDict
from typing import Protocol

from outlast.definitions.forks import at_fork

_MOST = 64
_FILES_EACH = 32
"""Of the limit, for each journal that stays open: a dozen that it uses, and room for the program's own."""


class Restable(Protocol):
    """A journal, for this file."""

    def rest(self) -> bool:
        """Close every file, unless somebody uses the journal just now. Waits for nobody.

        Returns:
            Whether it has none open.
        """
        ...


class Awake:
    """The journals of this process that have files open, the one used last at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._journals: OrderedDict[weakref.ref[Restable], None] = OrderedDict()
        at_fork(self)

    def use(self, journal: Restable) -> None:
        """A journal is used, and may open files: others may have to put theirs down."""
        key = weakref.ref(journal)
        with self._lock:
            self._journals[key] = None
            self._journals.move_to_end(key)
            count = len(self._journals)
            excess = count - most_open() if count > 1 else 0
            others = list(self._journals)[:-1] if excess > 0 else ()
        for other in others:  # Without the lock: each that closes waits for the disk.
            if excess <= 0:
                return
            found = other()
            if found is None or found.rest():
                excess -= 1
                with self._lock:
                    self._journals.pop(other, None)

    def before_fork(self) -> None:
        """See `Forked`. The lock is taken inside those of journals, so not before them here."""

    def in_child(self) -> None:
        """See `Forked`. The child has no file open."""
        self._lock = threading.Lock()
        self._journals.clear()


AWAKE = Awake()


def most_open() -> int:
    """How many journals may keep files open that nobody needs now. A program may raise its limit."""
    if sys.platform == "win32":
        return _MOST
    import resource  # Windows has none

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return _MOST
    return min(_MOST, max(1, limit // _FILES_EACH))
