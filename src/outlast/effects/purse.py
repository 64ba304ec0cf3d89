"""What a run may spend: its own budgets, and those of the runs that it is inside of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

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
    epoch: int = 0
    """Which acquisition of the run spends."""

    def limits(self, measure: str) -> bool:
        """Whether one of the budgets limits this."""
        return any(getattr(budget, measure) is not None for budget, _ in self.budgets)


class Spender(Protocol):
    """A run that spends: the log of whoever performs it."""

    @property
    def run_id(self) -> str:
        """Its id."""
        ...

    @property
    def epoch(self) -> int:
        """Which acquisition of it this is."""
        ...

    def spent_ledger(self) -> Ledger:
        """Where is counted what it spends."""
        ...


def purse_of(config: RunConfig, outer: Purse | None, run: Spender) -> Purse | None:
    """What a run may spend; None where nobody limits it."""
    inherited = outer.budgets if outer else ()
    known = [budget for budget, _ in inherited]
    given = (config.budgets,) if isinstance(config.budgets, Budget) else config.budgets
    own = tuple((each, run.run_id) for each in given if each not in known)
    budgets = (*inherited, *own)
    if not budgets:
        return None
    prices = outer.prices if outer and config.prices is None else table_of(config.prices)
    return Purse(budgets, run.spent_ledger, prices, run.epoch)
