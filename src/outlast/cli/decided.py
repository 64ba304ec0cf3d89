"""Who has decided what about the calls of a run: an audit trail for people."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from outlast.cli.text import plain
from outlast.definitions.clock import utc
from outlast.journal.opening import open_journal
from outlast.views.decisions import DecisionRecord, decision_records


async def records_of(run_id: str) -> list[DecisionRecord]:
    """Every word that people have said about calls of a run, in their order."""
    return decision_records([each.event for each in await open_journal().read(run_id)])


def as_facts(record: DecisionRecord) -> dict[str, Any]:
    """A record as JSON, with its time as text."""
    return {**record._asdict(), "at": _time(record.at) or None}


def decision_lines(records: list[DecisionRecord]) -> list[Text]:
    """Each record in a few lines: when and who; which call; why, and what was changed."""
    if not records:
        return [Text("Nobody has decided anything in this run.", style="dim")]
    return [line for record in records for line in _lines(record)]


def _lines(record: DecisionRecord) -> list[Text]:
    who = plain(record.by) if record.by else "somebody who gave no name"
    head = Text.assemble(
        (_time(record.at) or "at an unknown time", "dim"),
        f"  {who} ",
        (_word(record), "green" if record.approved else "red"),
        f" {plain(record.tool)}({plain(record.before)})",
        (f"  {plain(record.call_id)}", "dim"),
    )
    more = {
        "question": record.question,
        "answer": record.answer,
        "called with": record.after if record.after != record.before else "",
        "why": record.why,
        "told the model": record.message,
    }
    rest = [Text(f"  {name}: {plain(value)}") for name, value in more.items() if value]
    return [head, *rest]


def _word(record: DecisionRecord) -> str:
    if record.answer is not None:
        return "answered"
    if record.kind == "vote":
        return "voted for" if record.approved else "voted against"
    return "approved" if record.approved else "rejected"


def _time(at: float | None) -> str:
    if at is None:
        return ""
    return utc(at).isoformat(" ", "seconds").replace("+00:00", "Z")
