"""The calls of all runs that wait for a person: to list, to watch; and what was decided about them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from outlast.core.approval_events import RequestRules
from outlast.core.evolve import fold
from outlast.effects.config import RunConfig, coerce_run_config
from outlast.run.commands import check_said
from outlast.run.request import journal_of
from outlast.views.decisions import DecisionRecord, decision_records
from outlast.views.waiting import WaitingCall, waiting_calls

Config = RunConfig | dict[str, Any] | None
_MAY_ASK = ("waiting", "parked", "paused", "running")


class PendingDecision(NamedTuple):
    """A call that waits for a person. Decide with `Runner.approve`, `reject` or `answer`."""

    run_id: str
    call_id: str
    agent: str
    tool: str
    arguments: str
    """What the model has asked for, as it wrote it."""
    question: str
    """What the tool asks; empty where the call waits to be approved."""
    choices: tuple[str, ...]
    is_in_doubt: bool
    """Whether it began already, and nobody knows how it ended: a yes runs it again."""
    votes: tuple[tuple[str, bool], ...]
    """Who has said yes or no, where several have to agree."""
    rules: RequestRules | None
    question_id: str = ""
    """What to decide by, in place of `call_id`: a later question of the same call has another one."""


async def pending(run_id: str | None = None, *, run_config: Config = None) -> list[PendingDecision]:
    """The calls that wait for a person, of one run or of all, those of the oldest run first.

    Args:
        run_id: Only of this run.
        run_config: Where runs are kept, if not in the default journal.

    Raises:
        RunNotFound: There is no such run.
    """
    if run_id is not None:
        check_said(run_id=run_id)
    journal = journal_of(coerce_run_config(run_config))
    ids = [run_id] if run_id is not None else []
    if run_id is None:
        rows = [
            row for word in _MAY_ASK for row in await journal.runs(status=word, roots_only=True)
        ]
        ids = [row.run_id for row in sorted(rows, key=lambda row: row.created_at)]
    found: list[PendingDecision] = []
    for each in ids:
        state = fold([stored.event for stored in await journal.read(each)])
        votes = state.votes
        found += [_pending(each, call, votes.get(call.key, ())) for call in waiting_calls(state)]
    return found


async def watch_pending(
    *, interval_s: float = 0.5, run_config: Config = None
) -> AsyncIterator[PendingDecision]:
    """Each call of any run that waits for a person, once for each time that it asks. Does not end.

    Args:
        interval_s: Seconds between two looks.
        run_config: Where runs are kept, if not in the default journal.
    """
    known: set[tuple[str, str]] = set()
    while True:
        now = await pending(run_config=run_config)
        for each in now:
            if (each.run_id, each.question_id) not in known:
                yield each
        known = {(each.run_id, each.question_id) for each in now}
        await asyncio.sleep(interval_s)


async def decisions(run_id: str, *, run_config: Config = None) -> list[DecisionRecord]:
    """What was decided about the calls of a run: who, when, why, and arguments before and after.

    Args:
        run_id: The run.
        run_config: Where it is kept, if not in the default journal.

    Raises:
        RunNotFound: There is no such run.
    """
    check_said(run_id=run_id)
    journal = journal_of(coerce_run_config(run_config))
    return decision_records([each.event for each in await journal.read(run_id)])


def _pending(run_id: str, call: WaitingCall, votes: Any) -> PendingDecision:
    request = call.request
    body: Any = call.item.get("arguments", call.item.get("input", ""))
    return PendingDecision(
        run_id,
        call.key,
        call.agent,
        call.tool,
        str(body),
        request.question,
        request.choices,
        call.is_in_doubt,
        tuple((vote.by, vote.approved) for vote in votes),
        request.rules,
        call.question_id,
    )
