"""`outlast show`."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from outlast.cli.approvals import waits_to_go_on
from outlast.cli.command import STOPPED, AsJson, Full, Limit, command, finish, known_ids
from outlast.cli.decided import as_facts, decision_lines, records_of
from outlast.cli.following import follow as follow_run, status_now, why_nobody
from outlast.cli.logs import journal_place, read_run
from outlast.cli.page import run_page
from outlast.cli.running import matching_run, say_ways_on
from outlast.cli.screen import console, print_json
from outlast.cli.show import run_summary, run_tree
from outlast.cli.text import plain
from outlast.cli.transcript import talk_lines, talk_of
from outlast.core.errors import JournalError, UserError
from outlast.journal.opening import open_journal
from outlast.views.timeline import Step, Takeover, Timeline


@command("""
outlast show 3f9c
outlast show order-17 --full       every argument and result, uncut
outlast show order-17 --follow     its steps as they happen
outlast show order-17 --html run.html      one page that needs no network
outlast show order-17 --decisions  who decided what, when and why
outlast show order-17 --json
outlast show --session ada         a whole conversation
""")
def show(  # noqa: PLR0913  # a command has the options that it has
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's id, or the start of one.", autocompletion=known_ids
        ),
    ] = "",
    full: Full = False,
    as_json: AsJson = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write it as one page for a browser."),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Print steps as they happen, until it ends, waits or is left."
        ),
    ] = False,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Show what people decided, when and why.")
    ] = False,
    session: Annotated[
        str | None, typer.Option("--session", help="Show what was said in this conversation.")
    ] = None,
    limit: Limit = 30,
) -> int:
    """Show what a run did: its steps, and where a process died."""
    if session is not None:
        _require_alone(run_id, html or follow or decisions)
        return _show_talk(session, limit or None, full=full, as_json=as_json)
    if not run_id:
        raise UserError("Which run? Name it, or a conversation with --session. See: outlast runs")
    found = finish(matching_run(run_id))
    if decisions:
        return _show_decisions(found, as_json=as_json)
    if follow and not _followed(found):
        return STOPPED + signal.SIGINT
    return _show_run(found, html, full=full, as_json=as_json)


def _show_run(found: str, html: Path | None, *, full: bool, as_json: bool) -> int:
    view, children = finish(read_run(found))
    view = replace(view, status=finish(status_now(found)) or view.status)
    if as_json:
        print_json({"run_id": found, **_facts(view)})
        return 0
    screen = console()
    if html is not None:
        _write(html, run_page(found, view, children, _texts(view)))
        screen.print(Text(f"Wrote {plain(html)}."), soft_wrap=True)
        return 0
    screen.print(run_tree(found, view, children, screen.width, full=full))
    screen.print(run_summary(view, full=full))
    if view.status in _LEFT:
        is_decided = finish(waits_to_go_on(found))
        why = "decided, waits to go on:" if is_decided else f"{why_nobody(view)}; go on:"
        screen.print(Text(why, style="cyan"))
        say_ways_on(found, view.program)
    return 0


def _require_alone(run_id: str, other: object) -> None:
    if run_id or other:
        raise UserError(
            "A conversation has several runs: --session goes with --limit, --full and --json."
        )


def _show_talk(session: str, limit: int | None, *, full: bool, as_json: bool) -> int:
    talk = finish(talk_of(session, limit))
    if as_json:
        print_json([{"run_id": run_id, **_facts(view)} for run_id, view in talk])
        return 0
    screen = console()
    for line in talk_lines(talk, screen.width, full=full):
        screen.print(line, soft_wrap=full)
    if not talk:
        known = f"No runs of the session {plain(session)!r} in {plain(journal_place())}."
        screen.print(
            Text(f"{known} What a file of sessions holds: outlast sessions FILE"), soft_wrap=True
        )
    elif len(talk) == limit:
        screen.print(Text("The last of them; all: --limit 0", style="dim"))
    return 0


_LEFT = ("interrupted", "abandoned")
"""Words for runs that have something to do, and that nobody performs."""


def _followed(run_id: str) -> bool:
    """Follow a run. Returns whether it was not ended by Ctrl-C, which leaves the run alone."""
    try:
        if finish(status_now(run_id)) in ("running", "interrupted"):
            finish(follow_run(run_id))
    except KeyboardInterrupt:
        console().print(Text(f"No longer following {plain(run_id)}."), soft_wrap=True)
        return False
    return True


def _show_decisions(run_id: str, *, as_json: bool) -> int:
    records = finish(records_of(run_id))
    if as_json:
        print_json({"run_id": run_id, "decisions": [as_facts(each) for each in records]})
        return 0
    screen = console()
    for line in decision_lines(records):
        screen.print(line, soft_wrap=True)
    return 0


def _texts(view: Timeline) -> dict[str, str]:
    """What the turns of a run were prepared with, as far as the journal still has it."""
    blobs = open_journal().blobs
    found: dict[str, str] = {}
    for name in {name for turn in view.turns for name in (turn.instructions, turn.tools)} - {""}:
        with contextlib.suppress(JournalError):
            found[name] = blobs.get(name).decode("utf-8", "replace")
    return found


def _write(file: Path, page: str) -> None:
    """Write a page; a new file is its owner's alone, for a run may hold anything."""
    try:
        file.touch(mode=0o600)
        file.write_text(page, "utf-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise typer.BadParameter(f"{plain(file)} cannot be written: {why}.") from error


def _facts(view: Timeline) -> dict[str, Any]:
    return {
        "status": view.status,
        "input": view.input,
        "output": view.output,
        "error": view.error,
        "program": view.program,
        "duration_s": view.duration_s,
        "work_s": view.work_s,
        "tokens": view.usage.total_tokens,
        "rows": [_row(row) for row in view.rows],
    }


def _row(row: Step | Takeover) -> dict[str, Any]:
    if isinstance(row, Takeover):
        return {"row": "takeover", **{name: getattr(row, name) for name in _TAKEOVER}}
    return {"row": "step", **{name: getattr(row, name) for name in _STEP}}


_TAKEOVER = ("was_crash", "reused", "settled", "same_keys", "gap_s", "owner")
_STEP = (
    "id", "kind", "name", "agent", "turn", "epoch", "outcome", "detail", "model", "attempt", "key",
    "same_key", "started_at", "ended_at", "duration_s", "child",
)  # fmt: skip
"""What `--json` says of a row; programs read these names."""
