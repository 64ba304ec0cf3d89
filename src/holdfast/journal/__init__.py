"""The journal: where the logs of runs are kept."""

from holdfast.journal.health import HealthStore
from holdfast.journal.journal import (
    DONE,
    TERMINAL,
    BlobStore,
    Durability,
    Journal,
    Lease,
    RunSummary,
    Status,
    Stored,
)
from holdfast.journal.memory import MemoryJournal
from holdfast.journal.opening import open_journal
from holdfast.journal.sqlite import SqliteJournal

__all__ = [
    "DONE",
    "TERMINAL",
    "BlobStore",
    "Durability",
    "HealthStore",
    "Journal",
    "Lease",
    "MemoryJournal",
    "RunSummary",
    "SqliteJournal",
    "Status",
    "Stored",
    "open_journal",
]
