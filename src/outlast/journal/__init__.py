"""The journal: where the logs of runs are kept."""

from outlast.journal.health import HealthStore
from outlast.journal.journal import (
    DONE,
    TERMINAL,
    BlobStore,
    Durability,
    Journal,
    Lease,
    MetadataFilter,
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
    "Durability",
    "HealthStore",
    "Journal",
    "Lease",
    "MemoryJournal",
    "MetadataFilter",
    "Pruned",
    "RunSummary",
    "SqliteJournal",
    "Stored",
    "close_journals",
    "open_journal",
]
