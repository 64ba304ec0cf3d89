"""`outlast approve`."""

from __future__ import annotations

from typing import Annotated

import typer

from outlast.cli.command import (
    AgentPlace,
    AllCalls,
    AsJson,
    By,
    CallId,
    Full,
    Message,
    Why,
    command,
    finish,
    known_ids,
)
from outlast.cli.deciding import Answer, Shown, decide, list_waiting, one_or_all
from outlast.cli.running import matching_run


@command("""
outlast approve                    what waits, in all runs
outlast approve ticket-12          what waits in one run
outlast approve ticket-12 call_7f3a        decides; the run goes on later
outlast approve ticket-12 call_7f3a --edit '{"amount": 10}' --why "half"
outlast approve ticket-12 call_7f3a --agent desk.py
""")
def approve(  # noqa: PLR0913  # a command has the options that it has
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's whole id; to list, the start of one.",
            autocompletion=known_ids,
        ),
    ] = "",
    call: CallId = "",
    everything: AllCalls = False,
    reject: Annotated[
        bool, typer.Option("--reject", help="Say no instead of yes: the same as outlast reject.")
    ] = False,
    message: Message = "",
    edit: Annotated[
        str, typer.Option(help="Arguments to call the tool with instead, as a JSON object.")
    ] = "",
    by: By = "",
    why: Why = "",
    place: AgentPlace = "",
    full: Full = False,
    as_json: AsJson = False,
) -> int:
    """Let a call that waits for a person go on.

    Without a call, it lists those that wait.
    """
    one_or_all(call, everything=everything)
    if message and not reject:
        raise typer.BadParameter("A --message goes with --reject: an approved call says nothing.")
    if reject and not (call or everything):
        raise typer.BadParameter("Name the call to reject, or say --all.")
    if edit and (reject or not call):
        raise typer.BadParameter("--edit goes with one call that is approved.")
    if not (call or everything):
        if by or why or place:
            raise typer.BadParameter(
                "Name the call to approve, or say --all. See: outlast approvals"
            )
        run_id = finish(matching_run(run_id)) if run_id else ""
        return list_waiting(run_id, Shown(is_full=full, as_json=as_json))
    answer = Answer(not reject, message, by, why, edit)
    return decide(run_id, call, answer, place, as_json=as_json)
