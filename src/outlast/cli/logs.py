"""The journal as the command line reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Unpack

from outlast.cli.problem import Missing
from outlast.cli.remote import server_url
from outlast.cli.text import SHORTEST
from outlast.core.errors import RunNotFound
from outlast.journal.journal import Journal, RunFilter, RunSummary
from outlast.journal.opening import open_journal
from outlast.views.status import seen
from outlast.views.steps import timeline
from outlast.views.timeline import Timeline


def journal_file() -> Path | None:
    """Where runs of this directory are kept; None when they are kept nowhere."""
    named = os.environ.get("OUTLAST_JOURNAL", "")
    if named in ("off", "memory") or "://" in named:
        return None
    home = os.environ.get("OUTLAST_HOME", ".outlast")
    return Path(named) if named else Path(home) / "journal.db"


def named_journal() -> Path:
    """The file of the journal.

    Raises:
        Missing: It is in none.
    """
    file = journal_file()
    if file is None:
        raise Missing(
            "No journal in a file",
            "Only a journal in a file is copied, and OUTLAST_JOURNAL names another one.",
            "OUTLAST_JOURNAL=.outlast/journal.db outlast ...",
        )
    return file


def journal_place() -> str:
    """Where runs are looked for, and why there."""
    file = journal_file()
    named = os.environ.get("OUTLAST_JOURNAL", "")
    if url := server_url():
        return f"{url} (--server)"
    if "://" in named:
        return f"{named.partition('?')[0]} (OUTLAST_JOURNAL)"
    if file is None:
        return f"a journal that ends with its process (OUTLAST_JOURNAL={named})"
    if named:
        return f"{file.absolute()} (OUTLAST_JOURNAL)"
    home = os.environ.get("OUTLAST_HOME")
    why = "OUTLAST_HOME" if home else "the default, under the working directory"
    return f"{file.absolute()} ({why})"


async def list_runs(
    status: str | None = None,
    *,
    limit: int | None = None,
    before: str | None = None,
    **which: Unpack[RunFilter],
) -> Sequence[RunSummary]:
    """All runs, the newest first. Looking for runs does not make a journal."""
    file = journal_file()
    if file is not None and not file.exists():
        return []
    return await open_journal().runs(status=status, limit=limit, before=before, **which)


async def find_runs(
    status: str, limit: int | None = None, **which: Unpack[RunFilter]
) -> Sequence[RunSummary]:
    """The runs that `status_of` has that word for, the newest first; all, if it is empty."""
    kept_as = "running" if status == "interrupted" else status or None
    found: list[RunSummary] = []
    while True:
        last = found[-1].run_id if found else None
        page = await list_runs(kept_as, limit=_PAGE, before=last, **which)
        found += page
        fitting = [run for run in found if status in ("", status_of(run))]
        if len(page) < _PAGE or (limit is not None and len(fitting) >= limit):
            return fitting[:limit]


async def known_agents() -> set[str]:
    """The names of the agents that the newest runs began with, runs inside others included."""
    return {row.agent for row in await list_runs(limit=_PAGE)}


_PAGE = 1000
"""As many runs are read at a time, and looked at for the names of agents."""


async def with_namesakes(run_ids: Iterable[str]) -> list[str]:
    """Ids of runs, and all others that begin as they do: a short id must not fit two of them."""
    known: dict[str, None] = {}
    for start in {run_id[:SHORTEST]: None for run_id in run_ids}:
        known |= {row.run_id: None for row in await list_runs(run_id_starts=start)}
    return list(known)


def status_of(run: RunSummary) -> str:
    """The word for a run as it is now."""
    return seen(run.status, is_held=run.owner_alive)


def is_cut_off(run: RunSummary) -> bool:
    """Whether a run was interrupted: nobody goes on with it."""
    return status_of(run) == "interrupted"


async def read_run(run_id: str) -> tuple[Timeline, dict[str, Timeline]]:
    """What a run did, and what the runs inside it did, by run id.

    Raises:
        RunNotFound: There is no such run.
        JournalCorrupt: A row is not what was written.
    """
    journal = open_journal()  # Shared by this process, and closed when it ends.
    view = timeline(await journal.read(run_id))
    return view, await _children(journal, view)


async def _children(journal: Journal, view: Timeline) -> dict[str, Timeline]:
    found: dict[str, Timeline] = {}
    for child in {step.child: None for step in view.steps if step.child}:
        try:
            found[child] = timeline(await journal.read(child))
        except RunNotFound:
            continue  # It died before its first append: nothing was begun.
        found |= await _children(journal, found[child])
    return found
