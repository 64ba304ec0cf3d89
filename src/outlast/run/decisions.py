"""What people decide about calls that wait for one.

A decision is a command, and one event in one log: the run's own or, for a call of an agent used as a
tool, that of the run that called it, which the agent's run learns it from. Commands are taken in the
order in which they are posted, so of two people who decide at once one is late, and is told what the
other one said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from outlast.core.commands import Decide
from outlast.core.errors import RunNotFound, UserError
from outlast.core.events import ApprovalRequested
from outlast.core.evolve import fold
from outlast.effects.config import RunConfig, coerce_run_config
from outlast.journal.journal import Journal
from outlast.run.commands import check_said, command_head, command_run, events_of
from outlast.run.edited import check_edited
from outlast.run.request import journal_of


async def approve(  # noqa: PLR0913  # each says something about one decision
    run_id: str,
    call_id: str,
    *,
    by: str | None = None,
    why: str | None = None,
    always: bool = False,
    arguments: str | Mapping[str, Any] | None = None,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> None:
    """Let a call that waits for a person go on.

    A run that a process performs goes on with it at once, another one when somebody resumes it. Durable
    when it returns. Deciding the same again, by the same person, changes nothing.

    Args:
        run_id: The whole id of the run.
        call_id: The whole id of the call, as `result.interruptions` or `outlast approve RUN` say it.
        by: Who decides.
        why: A reason, for whoever reads the log.
        always: Let all later calls of the tool in this run go on too.
        arguments: What the call is made with instead of what the model has asked for: a JSON object.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        AlreadyDecided: Somebody else was first; the error says who, and what.
        CallNotFound: No such call waits.
        RunNotFound: There is no such run.
        UserError: The arguments do not fit the tool. Nothing was decided.
        StorageBusy: The journal was locked for too long. Nothing was decided; try again.
    """
    check_said(run_id=run_id, call_id=call_id, always=always)
    command = Decide(
        **command_head(by, why),
        call_id=call_id,
        approved=True,
        always=always,
        arguments=_as_text(arguments),
    )
    await _decide(run_id, command, run_config)


def _as_text(arguments: object) -> str | None:
    if arguments is None or isinstance(arguments, str):
        return arguments
    try:
        return json.dumps(msgspec.to_builtins(arguments), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"arguments must be a JSON object: {error}. Nothing was decided."
        ) from error


async def answer(
    run_id: str,
    call_id: str,
    answer: str,
    *,
    by: str | None = None,
    why: str | None = None,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> None:
    """Answer the question of a tool that waits for it: see `ToolContext.ask`.

    The tool is called again with the answer. Raises what `approve` does.

    Args:
        run_id: The whole id of the run.
        call_id: The whole id of the call.
        answer: One of the question's choices, if it has some.
        by: Who answers.
        why: A reason, for whoever reads the log.
        run_config: Where the run is kept, if not in the default journal.
    """
    check_said(run_id=run_id, call_id=call_id, answer=answer)
    command = Decide(**command_head(by, why), call_id=call_id, approved=True, answer=answer)
    await _decide(run_id, command, run_config)


async def reject(  # noqa: PLR0913  # each says something about one decision
    run_id: str,
    call_id: str,
    *,
    by: str | None = None,
    why: str | None = None,
    message: str | None = None,
    always: bool = False,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> None:
    """Refuse a call that waits for a person.

    Takes and raises what `approve` does.

    Args:
        run_id: The whole id of the run.
        call_id: The whole id of the call.
        by: Who decides.
        why: A reason, for whoever reads the log; the model does not see it.
        message: What the model is told; None is a default text.
        always: Refuse all later calls of the tool in this run too.
        run_config: Where the run is kept, if not in the default journal.
    """
    check_said(run_id=run_id, call_id=call_id, message=message, always=always)
    command = Decide(
        **command_head(by, why), call_id=call_id, approved=False, always=always, message=message
    )
    await _decide(run_id, command, run_config)


# --- Deciding about a call. --------------------------------------------------------------


async def _decide(run_id: str, command: Decide, config: Any) -> None:
    journal = journal_of(coerce_run_config(config))
    run_id, call_id = await _where_it_is_asked(journal, run_id, command.call_id)
    command = msgspec.structs.replace(command, call_id=call_id)
    await check_edited(journal, run_id, command)
    await command_run(journal, run_id, command)


async def _where_it_is_asked(journal: Journal, run_id: str, call_id: str) -> tuple[str, str]:
    """The run whose log decides about a call: the outermost one that was told of it."""
    started = fold(await events_of(journal, run_id)).started
    while started is not None and started.parent:
        try:
            above = await events_of(journal, started.parent)
        except RunNotFound:
            break
        if not any(isinstance(e, ApprovalRequested) and e.child == run_id for e in above):
            break
        run_id, call_id = started.parent, f"{run_id}/{call_id}"
        started = fold(above).started
    return run_id, call_id
