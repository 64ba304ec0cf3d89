"""`outlast approve`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from outlast.cli.approvals import calls_of, chosen_call, record
from outlast.cli.command import AgentPlace, command, finish
from outlast.cli.logs import journal_place, list_runs, read_run
from outlast.cli.running import (
    account,
    how_to_go_on,
    matching_run,
    perform,
    program_of,
    show_waiting,
    whole_run,
)
from outlast.cli.screen import console, print_json
from outlast.cli.text import plain
from outlast.views.waiting import WaitingCall


@command("""
outlast approve                    what waits, in all runs
outlast approve ticket-12          what waits in one run
outlast approve ticket-12 call_7f3a                  decides, and goes on later
outlast approve ticket-12 call_7f3a --agent desk.py
outlast approve ticket-12 call_7f3a --reject --message "We are closed."
""")
def approve(  # noqa: PLR0913  # a command has the options that it has
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's whole id; to list, the start of one.")
    ] = "",
    call: Annotated[str, typer.Argument(metavar="CALL", help="A call's whole id.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All calls that wait.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Say no instead of yes.")] = False,
    message: Annotated[str, typer.Option(help="With --reject: what the model is told.")] = "",
    by: Annotated[str, typer.Option(help="Who decides; you, by the name of your account.")] = "",
    why: Annotated[str, typer.Option(help="A reason, for whoever reads the log.")] = "",
    place: AgentPlace = "",
    full: Annotated[bool, typer.Option("--full", help="Cut no argument, however long.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="List what waits as JSON.")] = False,
) -> int:
    """List the calls that wait for a person, in one run or in all; decide about one, and go on."""
    if call and everything:
        raise typer.BadParameter("Name a call, or say --all.")
    if message and not reject:
        raise typer.BadParameter("A --message goes with --reject: an approved call says nothing.")
    if reject and not (call or everything):
        raise typer.BadParameter("Name the call to reject, or say --all.")
    if not (call or everything):
        run_id = finish(matching_run(run_id)) if run_id else ""
        return _list_waiting(run_id, is_full=full, as_json=as_json)
    run_id = finish(whole_run(run_id))
    waiting = finish(calls_of(run_id))
    if not waiting:
        console().print(Text(f"Nothing waits for a person in run {plain(run_id)}."))
        return 0
    keys = [chosen_call(waiting, call).key] if call else [each.key for each in waiting]
    view, _ = finish(read_run(run_id))
    program = program_of(run_id, view, place) if place else None
    by = by or account()
    finish(record(run_id, keys, approved=not reject, message=message, by=by, why=why))
    word = "rejected" if reject else "approved"
    console().print(Text(f"{word} {plain(', '.join(keys))}", style="bold"))
    if program is None:
        console().print(
            Text(f"\n{how_to_go_on(run_id, view.program)}", style="dim"), soft_wrap=True
        )
        return 0
    return finish(perform(program, "", run_id))


async def _asking() -> list[str]:
    """The runs that may wait for a person, the oldest first; a parked one may do that too."""
    rows = [row for word in _MAY_ASK for row in await list_runs(word) if not row.parent]
    return [row.run_id for row in sorted(rows, key=lambda row: row.created_at)]


_MAY_ASK = ("waiting", "parked", "running")
"""What a run can be while one of its calls waits: another call may run, or wait for a provider."""


def _list_waiting(run_id: str, *, is_full: bool, as_json: bool) -> int:
    """Show the calls of one run that wait, or of all runs."""
    waiting = {each: finish(calls_of(each)) for each in ([run_id] if run_id else finish(_asking()))}
    if as_json:
        print_json([_facts(each, call) for each, calls in waiting.items() for call in calls])
        return 0
    if not any(waiting.values()):
        where = f"in run {run_id}" if run_id else f"in {journal_place()}"
        console().print(Text(f"Nothing waits for a person {plain(where)}."))
    for each, calls in waiting.items():
        if calls and not run_id:
            console().print(Text(f"run {plain(each)}", style="bold"))
        show_waiting(each, calls, is_full=is_full)
    return 0


def _facts(run_id: str, call: WaitingCall) -> dict[str, Any]:
    named = {"run_id": run_id, "call": call.key, "agent": call.agent, "tool": call.tool}
    return {**named, "item": call.item}
