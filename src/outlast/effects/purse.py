"""What a run may spend: its own budgets, and those of the runs that it is inside of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from outlast.calls.prices import PriceTable, table_of
from outlast.core.budgets import Ledger
from outlast.core.state import RunState
from outlast.definitions.budget import Budget, budget_of
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

    @property
    def state(self) -> RunState:
        """What its log amounts to."""
        ...

    def spent_ledger(self) -> Ledger:
        """Where is counted what it spends."""
        ...


def own_budgets(config: RunConfig, outer: Purse | None) -> list[Budget]:
    """The limits that these settings bring to a run, beside those that it is inside of."""
    known = [budget for budget, _ in outer.budgets] if outer else []
    given = (config.budgets,) if isinstance(config.budgets, Budget) else config.budgets
    return [each for each in given if each not in known]


def purse_of(config: RunConfig, outer: Purse | None, run: Spender) -> Purse | None:
    """What a run may spend, and by which prices; None where nobody limits it and it has none.

    Settings without a budget leave those that the run's log has.

    Raises:
        IncompatibleRun: They are of a newer version.
    """
    own = own_budgets(config, outer)
    if not config.budgets:
        own = [budget_of(each) for each in run.state.options.budgets]
    inherited = outer.budgets if outer else ()
    budgets = (*inherited, *((each, run.run_id) for each in own))
    if not budgets and outer is None and config.prices is None:
        return None
    prices = outer.prices if outer and config.prices is None else table_of(config.prices)
    return Purse(budgets, run.spent_ledger, prices, run.epoch)
