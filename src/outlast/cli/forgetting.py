"""Deleting what is kept of a user or of a conversation, wherever it is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from outlast.cli.logs import journal_file
from outlast.core.errors import AlreadyRunning, RunNotFound
from outlast.core.evolve import fold
from outlast.core.missing import NoSuchThing
from outlast.extras.memory.store import FactStore
from outlast.journal import MemoryJournal, SqliteJournal, open_journal
from outlast.journal.journal import Journal, RunFilter
from outlast.sessions.archive import SessionFile


class Gone(NamedTuple):
    """What was deleted, or would be."""

    runs: tuple[str, ...]
    held: tuple[str, ...]
    """Runs that a living process performs: they are there still."""
    items: int
    """Items of conversations."""
    facts: int
    """Facts of the long-term memory."""
    sessions: tuple[str, ...]
    """The conversations that went, or would, as far as they are in the files that were named."""
    shared: tuple[str, ...]
    """Conversations of the user that runs of others have too: their items are there still."""


class _Wanted(NamedTuple):
    """What is to go."""

    runs: list[str]
    sessions: list[str]
    shared: list[str]


async def forget_all(
    *, user: str | None, session: str | None, files: list[Path], memory: Path | None, dry_run: bool
) -> Gone:
    """Delete the runs of a user or a conversation, its items, and the user's facts.

    A user's conversations are those that only their runs had.
    """
    file, journal = journal_file(), None
    wanted, held = _Wanted([], [session] if session else [], []), list[str]()
    if file is not None and file.exists():
        journal = open_journal()
        assert isinstance(journal, SqliteJournal | MemoryJournal)
        wanted = await _wanted(journal, user, session)
        held = [] if dry_run else await _deleted(journal, wanted.runs)
        if user and not (held or dry_run):
            await journal.ledger.forget(f"user:{user}")
    items = sum(_items(each, files, dry_run=dry_run) for each in wanted.sessions)
    facts = _facts(user, memory, dry_run=dry_run) if user and memory else 0
    gone = [each for each in wanted.runs if each not in held]
    return Gone(
        tuple(gone), tuple(held), items, facts, tuple(wanted.sessions), tuple(wanted.shared)
    )


async def _deleted(journal: SqliteJournal | MemoryJournal, runs: list[str]) -> list[str]:
    """The runs that could not be deleted, as processes perform them."""
    held: list[str] = []
    for run_id in runs:
        try:
            await journal.delete(run_id, force=True)
        except AlreadyRunning:
            held.append(run_id)
        except RunNotFound:
            pass  # It went with another one.
    return held


async def _wanted(journal: Journal, user: str | None, session: str | None) -> _Wanted:
    """The runs that name the user or the conversation, in their metadata or as their session."""
    which: RunFilter = {"roots_only": True}
    found: list[str] = []
    own, others = set[str](), set[str]()
    for row in await journal.runs(limit=None, **which):
        conversations = {row.metadata.session_id, await _session(journal, row.run_id)} - {None, ""}
        is_users = user is not None and row.metadata.user == user
        (own if is_users else others).update(map(str, conversations))
        if is_users or (session and session in conversations):
            found.append(row.run_id)
    asked = {session} if session else set[str]()
    shared = (own & others) - asked
    return _Wanted(found, sorted(asked | (own - shared)), sorted(shared))


async def _session(journal: Journal, run_id: str) -> str:
    """The conversation that a run has."""
    return fold(each.event for each in await journal.read(run_id)).options.session_id


def _items(session: str, files: list[Path], *, dry_run: bool) -> int:
    archives = [SessionFile(file) for file in files]
    if not dry_run:
        return sum(archive.forget(session) for archive in archives)
    known = [each for archive in archives for each in archive.conversations()]
    return sum(each.items for each in known if each.session_id == session)


def _facts(user: str, file: Path, *, dry_run: bool) -> int:
    if not file.exists():
        raise NoSuchThing(f"There is no file {str(file)!r}. Name the file of a Memory.")
    with closing(FactStore(str(file), "", 0)) as store:
        return len(store.all(user)) if dry_run else store.drop(user)
