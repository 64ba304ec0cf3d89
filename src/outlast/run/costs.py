"""What runs have used and cost: their logs, read with a table of prices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outlast.calls.prices import PriceTable, table_of
from outlast.core.budgets import NANO
from outlast.core.errors import RunNotFound, UserError
from outlast.core.records import UsageFacts
from outlast.core.stored import Stored
from outlast.effects.config import RunConfig, coerce_run_config
from outlast.journal.journal import Journal
from outlast.run.request import journal_of
from outlast.run.thread_loop import is_in_loop

if TYPE_CHECKING:
    from outlast.views.costs import UsageReport

Prices = PriceTable | str | None


def cost_usd(model: str, usage: UsageFacts, at: float) -> float | None:
    """Dollars for what a model used at a moment; None where its price is not publicly known."""
    cost = table_of(None).cost(model, usage, at) if model else None
    return None if cost is None else cost / NANO


async def report_of(
    journal: Journal, run_id: str, prices: object = None, *, log: Sequence[Stored] | None = None
) -> UsageReport:
    """What a run and the runs inside it have used; ``log`` is the run's, where it is read already.

    Raises:
        RunNotFound: There is no such run.
    """
    from outlast.views.costs import children_of, usage_report

    if log is None:
        log = await journal.read(run_id)
    logs: dict[str, Sequence[Stored]] = {run_id: log}
    due = children_of(logs[run_id])
    while due:
        child = due.pop()
        if child in logs:
            continue
        try:
            logs[child] = await journal.read(child)
        except RunNotFound:  # It was begun, and nothing of it was written.
            logs[child] = ()
        due += children_of(logs[child])
    return usage_report(logs, run_id, table_of(prices).cost)


def report_now(journal: Journal, run_id: str, prices: object = None) -> UsageReport:
    """The same, for whoever cannot wait: Outlast's journals answer at once.

    Raises:
        UserError: The journal does not.
    """
    work = report_of(journal, run_id, prices)
    if not is_in_loop():
        return asyncio.run(work)
    try:
        work.send(None)
    except StopIteration as done:
        report: UsageReport = done.value
        return report
    work.close()
    raise UserError(
        "This run's journal answers only in a loop. Use await Runner.usage_report(result.run_id)."
    )


async def costs_of(
    run_id: str,
    *,
    prices: Prices = None,
    run_config: RunConfig | dict[str, Any] | None = None,
) -> UsageReport:
    """What a run, with all runs inside it, has used and cost: in all, by run, agent, model and tool.

    Args:
        run_id: The run.
        prices: What models cost: a table, or the path of one. None: those of ``run_config``.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        RunNotFound: There is no such run.
    """
    config = coerce_run_config(run_config)
    table = config.prices if prices is None else prices
    return await report_of(journal_of(config), run_id, table)
