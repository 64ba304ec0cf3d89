"""What a run may spend: its own budgets, and those of the runs that it is inside of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from outlast.calls.prices import PriceTable, table_of
from outlast.core.budgets import Ledger
from outlast.definitions.budget import Budget
from outlast.effects.config import RunConfig


class Purse(NamedTuple):
    """Budgets, and where is counted what they are used for."""

    budgets: tuple[tuple[Budget, str], ...]
    """Each with the run that brought it: a budget per run is that run's."""
    ledger: Callable[[], Ledger]
    prices: PriceTable

    def limits(self, measure: str) -> bool:
        """Whether one of the budgets limits this."""
        return any(getattr(budget, measure) is not None for budget, _ in self.budgets)


def purse_of(
    config: RunConfig, run_id: str, outer: Purse | None, ledger: Callable[[], Ledger]
) -> Purse | None:
    """What a run may spend; None where nobody limits it."""
    inherited = outer.budgets if outer else ()
    known = [budget for budget, _ in inherited]
    given = (config.budgets,) if isinstance(config.budgets, Budget) else config.budgets
    own = tuple((each, run_id) for each in given if each not in known)
    budgets = (*inherited, *own)
    if not budgets:
        return None
    prices = table_of(config.prices)
    return Purse(budgets, ledger, outer.prices if outer and config.prices is None else prices)
