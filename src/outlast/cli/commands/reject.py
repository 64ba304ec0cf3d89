"""`outlast reject`."""

from __future__ import annotations

import typer

from outlast.cli.command import (
    AgentPlace,
    AllCalls,
    AsJson,
    By,
    CallId,
    Message,
    WholeRunId,
    Why,
    command,
)
from outlast.cli.deciding import Answer, decide, one_or_all


@command("""
outlast reject ticket-12 call_7f3a --why "not our customer"
outlast reject ticket-12 call_7f3a --message "Closed." --agent desk.py
outlast reject ticket-12 --all
""")
def reject(  # noqa: PLR0913  # a command has the options that it has
    run_id: WholeRunId,
    call: CallId = "",
    everything: AllCalls = False,
    message: Message = "",
    by: By = "",
    why: Why = "",
    place: AgentPlace = "",
    as_json: AsJson = False,
) -> int:
    """Refuse a call that waits for a person. The model is told, and goes on without it."""
    one_or_all(call, everything=everything)
    if not (call or everything):
        raise typer.BadParameter("Name the call to reject, or say --all. See: outlast approvals")
    answer = Answer(approved=False, message=message, by=by, why=why)
    return decide(run_id, call, answer, place, as_json=as_json)
