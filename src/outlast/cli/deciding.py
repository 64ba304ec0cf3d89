"""What people decide about calls that wait: what `approve`, `reject` and `approvals` share."""

from __future__ import annotations

from typing import Any, NamedTuple

import typer
from rich.text import Text

from outlast.cli.approvals import calls_of, decided_before, record, say_nothing_waits
from outlast.cli.command import check_known, finish
from outlast.cli.logs import journal_place, known_agents, list_runs, read_run
from outlast.cli.running import (
    account,
    perform,
    program_of,
    require_nothing_else,
    say_ways_on,
    show_waiting,
    ways_on,
    whole_run,
)
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain
from outlast.core.errors import UserError
from outlast.journal.journal import TERMINAL
from outlast.views.waiting import WaitingCall
from outlast.views.words import command_line


class Answer(NamedTuple):
    """What a person says about a call."""

    approved: bool
    message: str = ""
    """What the model is told of a call that is refused; empty is a default text."""
    by: str = ""
    """Who says it; empty is whoever sits at the terminal."""
    why: str = ""
    edit: str = ""
    """The arguments that the call is made with instead, as JSON; empty leaves them."""
    answer: str | None = None
    """What a tool is told that asks a question."""


def decide(run_id: str, call: str, answer: Answer, place: str, *, as_json: bool = False) -> int:
    """Record an answer to one call of a run, or to all that wait if ``call`` is empty.

    Args:
        run_id: The whole id of the run.
        call: The whole id of the call.
        answer: What to record.
        place: The program to go on with at once, as `FILE[:AGENT]`; empty leaves that for later.
        as_json: Print JSON in place of what happens.

    Raises:
        AlreadyDecided: Somebody else was first; the error says who, and what.
        CallNotFound: No such call waits.
    """
    run_id = finish(whole_run(run_id))
    waiting = finish(calls_of(run_id))
    if not (call or waiting):
        finish(say_nothing_waits(run_id))
    questions = [each for each in waiting if each.request.question] if answer.approved else []
    questions = [] if call else questions
    keys = [call] if call else [each.question_id for each in waiting if each not in questions]
    if not keys:
        raise UserError(
            f"Run {run_id!r} waits for answers, which no yes to all calls gives. See: "
            f"{command_line('approvals', run_id)}"
        )
    view, _ = finish(read_run(run_id))
    program = program_of(run_id, view, place) if place else None
    before = finish(decided_before(run_id, call)) if call else ""
    finish(record(run_id, keys, **answer._replace(by=answer.by or account())._asdict()))
    word = "approved" if answer.approved else "rejected"
    word = "answered" if answer.answer is not None else word
    facts = {"run_id": run_id, "call_ids": keys, "decision": word}
    if not as_json:
        said = before or f"{word} {', '.join(keys)}"
        console().print(Text(plain(said), style="bold"), soft_wrap=True)
        _say_left(run_id, questions)
    if before and view.status in TERMINAL and not view.can_go_on:
        if as_json:
            print_json({**facts, "go_on": []})
        return 0
    if program is None and as_json:
        print_json({**facts, "go_on": list(finish(ways_on(run_id, view.program)))})
        return 0
    if program is None:
        say_ways_on(run_id, view.program)
        return 0
    require_nothing_else(run_id, before="The decision is recorded. ")
    return finish(perform(program, "", run_id, facts=facts if as_json else None))


def _say_left(run_id: str, questions: list[WaitingCall]) -> None:
    if questions:
        console().print("A yes to all calls answers no question. Left:", style="yellow")
        show_waiting(run_id, questions, is_full=False)


def one_or_all(call: str, *, everything: bool) -> None:
    """Refuse a call and `--all` together.

    Raises:
        typer.BadParameter: Both were said.
    """
    if call and everything:
        raise typer.BadParameter("Name a call, or say --all.")


class Shown(NamedTuple):
    """Which of the calls that wait are listed, and how."""

    agent: str = ""
    """Only calls of the agent of this name."""
    limit: int = 0
    """As many at most; 0 lists all."""
    is_full: bool = False
    as_json: bool = False


def list_waiting(run_id: str, shown: Shown) -> int:
    """Show the calls of one run that wait or, without an id, of all runs."""
    runs = [run_id] if run_id else finish(_asking())
    known = [(each, call) for each in runs for call in finish(calls_of(each))]
    if shown.agent and all(shown.agent != call.agent for _, call in known):
        names = {call.agent for _, call in known} | finish(known_agents())
        check_known("agent", shown.agent, names or {shown.agent})
    found = [(each, call) for each, call in known if shown.agent in ("", call.agent)]
    calls = found[: shown.limit] if shown.limit else found
    if shown.as_json:
        print_json([_facts(each, call) for each, call in calls])
        return 0
    screen = console()
    if not found:
        where = f"in run {run_id}" if run_id else f"in {journal_place()}"
        screen.print(Text(f"Nothing waits for a person {plain(where)}."), soft_wrap=True)
    for each in dict.fromkeys(each for each, _ in calls):
        if not run_id:
            screen.print(Text(f"run {plain(each)}", style="bold"))
        of_run = [call for other, call in calls if other == each]
        show_waiting(each, of_run, is_full=shown.is_full)
    if len(calls) < len(found):
        screen.print(Text(f"{len(found) - len(calls)} more: --limit 0", style="dim"))
    return 0


async def _asking() -> list[str]:
    """The runs that may wait for a person, the oldest first; a parked one may do that too."""
    rows = [row for word in _MAY_ASK for row in await list_runs(word, roots_only=True)]
    return [row.run_id for row in sorted(rows, key=lambda row: row.created_at)]


_MAY_ASK = ("waiting", "parked", "paused", "running")
"""What a run can be while one of its calls waits: another call may run, or wait for a provider."""


def _facts(run_id: str, call: WaitingCall) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "call_id": call.key,
        "call": call.key,
        "question_id": call.question_id,
        "agent": call.agent,
        "tool": call.tool,
        "reason": "in_doubt"
        if call.is_in_doubt
        else "question"
        if call.request.question
        else "policy",
        "question": call.request.question,
        "choices": list(call.request.choices),
        "item": call.item,
        "mcp_server": call.server or None,
        "description": call.description or None,
        "change": call.request.change or None,
    }
