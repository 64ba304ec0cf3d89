"""Arguments that a person has changed: whether they fit the tool, before the decision is used up."""

from __future__ import annotations

from typing import Any

import msgspec

from outlast.core.commanding import bound
from outlast.core.commands import Decide
from outlast.core.errors import AgentsException, UserError
from outlast.core.events import Call
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.definitions.schema_fit import misfits, taken_by
from outlast.journal.journal import Journal
from outlast.run.commands import events_of


async def check_edited(journal: Journal, run_id: str, command: Decide) -> None:
    """Refuse changed arguments that the tool cannot be called with.

    What the tool takes is what the log says that the model was offered. Where this process cannot look
    that up (a server does so itself; what a cluster keeps), nothing is said here.

    Raises:
        UserError: They do not fit; says where, and what the tool takes.
        RunNotFound: There is no such run.
    """
    if command.arguments is None:
        return
    try:
        arguments = msgspec.json.decode(command.arguments, type=dict[str, Any])
    except msgspec.DecodeError:
        return  # Refused as no JSON object where the command is taken.
    state = fold(await events_of(journal, run_id))
    found = await _asking(journal, state, bound(state, command).call_id)
    if found is None:
        return
    schema = _offered(journal, *found)
    if faults := misfits(schema, arguments):
        raise UserError(
            f"Call {command.call_id!r} was to be made with arguments that do not fit the tool "
            f"{found[1].qualified_name!r}: {'; '.join(faults)}. It takes: {taken_by(schema)}. Nothing was "
            "decided."
        )


async def _asking(journal: Journal, state: RunState, key: str) -> tuple[RunState, Call] | None:
    """The run that makes the call, and the call; None where that is not known."""
    request = state.requested.get(key)
    while request is not None and request.child:
        try:
            state = fold(await events_of(journal, request.child))
        except AgentsException:
            return None
        request = state.requested.get(request.call_id)
    call = state.open_calls.get(request.call_id) if request is not None else None
    return None if call is None else (state, call)


def _offered(journal: Journal, state: RunState, call: Call) -> Any:
    """The schema of the tool as its turn offered it; None where that is not known."""
    name = state.prepared.tools if state.prepared else None
    if call.kind != "function" or not name:
        return None
    try:
        record = msgspec.json.decode(journal.blobs.get(name), type=list[dict[str, Any]])
    except (AgentsException, KeyError, msgspec.DecodeError):
        return None
    own = [each for each in record if each.get("name") == call.qualified_name]
    return own[0].get("parameters") if own else None
