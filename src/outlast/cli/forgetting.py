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


async def forget_all(
    *, user: str | None, session: str | None, files: list[Path], memory: Path | None, dry_run: bool
) -> Gone:
    """Delete the runs of a user or a conversation, its items, and the user's facts."""
    runs, held = await _runs(user, session, dry_run=dry_run)
    items = _items(session, files, dry_run=dry_run) if session else 0
    facts = _facts(user, memory, dry_run=dry_run) if user and memory else 0
    return Gone(tuple(runs), tuple(held), items, facts)


async def _runs(
    user: str | None, session: str | None, *, dry_run: bool
) -> tuple[list[str], list[str]]:
    file = journal_file()
    if file is None or not file.exists():
        return [], []
    journal = open_journal()
    assert isinstance(journal, SqliteJournal | MemoryJournal)
    found, held = await _wanted(journal, user, session), list[str]()
    for run_id in [] if dry_run else list(found):
        try:
            await journal.delete(run_id, force=True)
        except AlreadyRunning:
            held.append(run_id)
            found.remove(run_id)
        except RunNotFound:
            pass  # It went with another one.
    return found, held


async def _wanted(journal: Journal, user: str | None, session: str | None) -> list[str]:
    """The runs that name the user or the conversation, in their metadata or as their session."""
    which: RunFilter = {"roots_only": True}
    found: list[str] = []
    for row in await journal.runs(limit=None, **which):
        said = row.metadata
        is_users = user is not None and said.user == user
        is_sessions = session is not None and said.session_id == session
        if (
            is_users
            or is_sessions
            or (session and await _has_session(journal, row.run_id, session))
        ):
            found.append(row.run_id)
    return found


async def _has_session(journal: Journal, run_id: str, session: str) -> bool:
    state = fold(each.event for each in await journal.read(run_id))
    return state.options.session_id == session


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
