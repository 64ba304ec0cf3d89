"""Conversations in a file, looked at as their next provider would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from outlast.cli.doctor import Check
from outlast.sessions.archive import SessionFile
from outlast.sessions.mending import mend, problems_in
from outlast.sessions.sqlite import SQLiteSession

_SHOWN = 3


async def conversations(file: Path, *, mends: bool) -> list[Check]:
    """A check for each conversation that has lost items, or one that says that there is none."""
    archive = SessionFile(file)
    known = archive.conversations()
    mends = mends and not archive.has_branches
    checks = [await _conversation(file, each.session_id, mends=mends) for each in known]
    wrong = [check for check in checks if check is not None]
    return wrong or [Check("sessions", "good", f"{len(known)} in {file}, all whole")]


async def _conversation(file: Path, session_id: str, *, mends: bool) -> Check | None:
    session = SQLiteSession(session_id, file)
    try:
        items: Any = await session.get_items(-1)
        found = problems_in(items)
        if found and mends:
            found = await mend(session)
    finally:
        session.close()
    if not found:
        return None
    shown = "; ".join(f"item {place + 1}: {what}" for place, what in list(found.items())[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    if mends:
        return Check("session", "good", f"{session_id}: took out {shown}{more}")
    advice = "Runs leave this out by themselves. Take it out for good: --mend, but for branches"
    return Check("session", "note", f"{session_id}: {shown}{more}. {advice}")
