"""`outlast approve`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from outlast.cli.approvals import Waiting, chosen_call, record, waiting_calls
from outlast.cli.command import AgentPlace, RunId, command, finish
from outlast.cli.logs import read_run
from outlast.cli.running import account, matching_run, perform, program_of, whole_run
from outlast.cli.screen import console
from outlast.cli.steps import arguments_of
from outlast.cli.text import plain


@command("""
outlast approve                    what waits, in all runs
outlast approve ticket-12          what waits in one run
outlast approve ticket-12 call_7f3a
outlast approve ticket-12 call_7f3a --reject --message "We are closed."
""")
def approve(  # noqa: PLR0913  # a command has the options that it has
    run_id: RunId,
    call: Annotated[str, typer.Argument(metavar="CALL", help="A call's whole id.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All calls that wait.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Say no instead of yes.")] = False,
    message: Annotated[str, typer.Option(help="With --reject: what the model is told.")] = "",
    by: Annotated[str, typer.Option(help="Who decides; you, by the name of your account.")] = "",
    why: Annotated[str, typer.Option(help="A reason, for whoever reads the log.")] = "",
    place: AgentPlace = "",
) -> int:
    """List the calls that wait for a person; decide about one, and go on."""
    if call and everything:
        raise typer.BadParameter("Name a call, or say --all.")
    if message and not reject:
        raise typer.BadParameter("A --message goes with --reject: an approved call says nothing.")
    if reject and not (call or everything):
        raise typer.BadParameter("Name the call to reject, or say --all.")
    is_decision = bool(call or everything)
    run_id = finish((whole_run if is_decision else matching_run)(run_id))
    waiting = finish(waiting_calls(run_id))
    if not waiting:
        console().print(Text(f"Nothing waits for a person in run {plain(run_id)}."))
        return 0
    if not is_decision:
        return _list_waiting(run_id, waiting)
    keys = [chosen_call(waiting, call).key] if call else [each.key for each in waiting]
    program = program_of(run_id, finish(read_run(run_id))[0], place)
    by = by or account()
    finish(record(run_id, keys, approved=not reject, message=message, by=by, why=why))
    word = "rejected" if reject else "approved"
    console().print(Text(f"{word} {plain(', '.join(keys))}", style="bold"))
    return finish(perform(program, "", run_id))


def _list_waiting(run_id: str, waiting: list[Waiting]) -> int:
    screen = console()
    for each in waiting:
        screen.print(Text(f"{plain(each.key)}  {plain(each.agent)}", style="bold"))
        screen.print(Text(f"  {plain(each.tool)}({plain(arguments_of(each.item))})", style="cyan"))
    screen.print(Text(f"\noutlast approve {plain(run_id)} CALL [--reject]", style="dim"))
    return 0
