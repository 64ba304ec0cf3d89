"""What runs have used and cost, read from their logs: in all, by run, agent, model and tool.

Every reply stands once in the log of the run that asked for it; what a run inside another one used is
counted there, and not where its parent's log repeats the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from outlast.core.events import (
    ChildStarted,
    EffectFailed,
    EffectStarted,
    Event,
    ModelReplied,
    RunStarted,
    ToolReturned,
    UsageAdded,
    UsageFacts,
)
from outlast.core.ids import EffectId
from outlast.core.stored import Stored

Cost = Callable[[str, UsageFacts, float], int | None]
"""What a model's call costs, in billionths of a dollar, by the moment at which it was made."""
_NANO = 1_000_000_000


@dataclass(slots=True)
class Spent:
    """What was used of models and tools."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    """Calls of tools that were performed."""
    nano_usd: int = 0
    unpriced: int = 0
    """Requests of models whose price nobody knows: they are not in `cost_usd`."""

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def cost_usd(self) -> float:
        """Dollars, as far as prices are known."""
        return self.nano_usd / _NANO

    @property
    def whole_cost_usd(self) -> float | None:
        """Dollars; None where tokens were used whose price is not known."""
        return None if self.unpriced and self.tokens else self.cost_usd

    def add(self, other: Spent) -> None:
        """Count ``other`` too."""
        for name in ("requests", "input_tokens", "output_tokens", "calls", "nano_usd", "unpriced"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_json(self) -> dict[str, Any]:
        """The same as JSON types."""
        names = (
            "requests",
            "input_tokens",
            "output_tokens",
            "tokens",
            "calls",
            "cost_usd",
            "unpriced",
        )
        return {name: getattr(self, name) for name in names}


Shares = dict[str, Spent]


@dataclass(slots=True)
class UsageReport:
    """What a run, with all runs inside it, has used; a tool's share is that of the runs inside it."""

    total: Spent = field(default_factory=Spent)
    by_run: Shares = field(default_factory=Shares)
    by_agent: Shares = field(default_factory=Shares)
    by_model: Shares = field(default_factory=Shares)
    by_tool: Shares = field(default_factory=Shares)

    def add(self, other: UsageReport) -> None:
        """Count another run's too."""
        self.total.add(other.total)
        for name in ("by_run", "by_agent", "by_model", "by_tool"):
            own: Shares = getattr(self, name)
            for key, spent in getattr(other, name).items():
                own.setdefault(key, Spent()).add(spent)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON types."""
        names = ("by_run", "by_agent", "by_model", "by_tool")
        shares = {
            name: {key: spent.to_json() for key, spent in getattr(self, name).items()}
            for name in names
        }
        return {"total": self.total.to_json(), **shares}


def cost_of(events: Sequence[Event]) -> int:
    """What calls have cost, in billionths of a dollar, as far as it was recorded with them."""
    return sum(each.nano_usd or 0 for each in events if isinstance(each, ModelReplied | UsageAdded))


def children_of(log: Sequence[Stored]) -> list[str]:
    """The runs that began inside a run."""
    return [each.event.run_id for each in log if isinstance(each.event, ChildStarted)]


def usage_report(logs: Mapping[str, Sequence[Stored]], run_id: str, cost: Cost) -> UsageReport:
    """What the run and the runs inside it have used, from their logs by the ids of the runs."""
    reading = _Reading(logs, run_id, cost)
    for each in logs.get(run_id, ()):
        reading.take(each.at, each.event)
    return reading.report


@dataclass(slots=True)
class _Reading:
    """How far a run's log is read."""

    logs: Mapping[str, Sequence[Stored]]
    run_id: str
    cost: Cost
    report: UsageReport = field(default_factory=UsageReport)
    names: dict[str, str] = field(default_factory=dict[str, str])
    """The tools that effects run."""
    agent: str = ""

    def take(self, at: float, event: Event) -> None:
        """Count an event, if it is about what was used."""
        match event:
            case RunStarted() | ModelReplied():
                self.agent = event.agent
                if isinstance(event, ModelReplied):
                    self._count(event.served_by, self._priced(event, event.served_by, at))
            case UsageAdded() if EffectId.parse(event.id).kind != "tool":
                self._count(event.model, self._priced(event, event.model, at))
            case EffectFailed() if EffectId.parse(event.id).kind == "model":
                if event.error.kind not in _UNSENT:
                    self._count(event.model, Spent(requests=1))
            case _:
                self._tools(event)

    def _tools(self, event: Event) -> None:
        match event:
            case EffectStarted(kind="tool"):
                self.names[event.id] = event.name
            case ToolReturned(outcome="ok" | "error" | "blocked"):
                for share in self._shares():
                    share.calls += 1
                self.report.by_tool.setdefault(event.name, Spent()).calls += 1
            case ChildStarted() if event.run_id not in (self.run_id, *self.report.by_run):
                inner = usage_report(self.logs, event.run_id, self.cost)
                self.report.add(inner)
                if tool := self.names.get(event.id):
                    share = self.report.by_tool.setdefault(tool, Spent())
                    share.add(replace(inner.total, calls=0))
            case _:
                pass

    def _priced(self, event: ModelReplied | UsageAdded, model: str, at: float) -> Spent:
        usage, price = event.usage, event.nano_usd
        if price is None and model:
            price = self.cost(model, usage, at)
        return Spent(
            usage.requests,
            usage.input_tokens,
            usage.output_tokens,
            nano_usd=price or 0,
            unpriced=usage.requests if price is None else 0,
        )

    def _shares(self) -> list[Spent]:
        report = self.report
        return [
            report.total,
            report.by_run.setdefault(self.run_id, Spent()),
            report.by_agent.setdefault(self.agent, Spent()),
        ]

    def _count(self, model: str, spent: Spent) -> None:
        for share in (*self._shares(), self.report.by_model.setdefault(model or "?", Spent())):
            share.add(spent)


_UNSENT = {"BudgetExceeded", "CircuitOpen", "ModelPaced", "UserError"}
