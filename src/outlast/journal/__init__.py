"""The journal: where the logs of runs are kept.

Its parts are imported when they are used: whoever needs the protocol needs no database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.calls.health import HealthStore
    from outlast.journal.journal import (
        DONE,
        TERMINAL,
        BlobStore,
        Change,
        Durability,
        Journal,
        Lease,
        MetadataFilter,
        RunFilter,
        RunSummary,
        Stored,
    )
    from outlast.journal.memory import MemoryJournal
    from outlast.journal.opening import close_journals, open_journal
    from outlast.journal.retention import Pruned
    from outlast.journal.sqlite import SqliteJournal

__all__ = [
    "DONE",
    "TERMINAL",
    "BlobStore",
    "Change",
    "Durability",
    "HealthStore",
    "Journal",
    "Lease",
    "MemoryJournal",
    "MetadataFilter",
    "Pruned",
    "RunFilter",
    "RunSummary",
    "SqliteJournal",
    "Stored",
    "close_journals",
    "open_journal",
]

_MODULES = {
    "HealthStore": "outlast.calls.health",
    "MemoryJournal": "outlast.journal.memory",
    "Pruned": "outlast.journal.retention",
    "SqliteJournal": "outlast.journal.sqlite",
    "close_journals": "outlast.journal.opening",
    "open_journal": "outlast.journal.opening",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "outlast.journal.journal")), name)
