"""What many runs came to and took, counted from their logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from outlast.core.errors import RunNotFound
from outlast.definitions.clock import wall_s
from outlast.journal.journal import Journal, RunSummary
from outlast.run.costs import report_of
from outlast.views.costs import UsageReport
from outlast.views.steps import timeline
from outlast.views.timeline import Step, Timeline


@dataclass(slots=True)
class AgentTotals:
    """What the runs of one agent came to."""

    runs: int = 0
    completed: int = 0
    failed: int = 0
    waiting: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    """None where the price of a model is not known."""
    seconds: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class StepTotals:
    """What the calls of one tool, or of one model, came to."""

    calls: int = 0
    errors: int = 0
    tokens: int = 0
    seconds: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class Totals:
    """What runs came to and took."""

    agents: dict[str, AgentTotals] = field(default_factory=dict[str, AgentTotals])
    models: dict[str, StepTotals] = field(default_factory=dict[str, StepTotals])
    tools: dict[str, StepTotals] = field(default_factory=dict[str, StepTotals])

    def add(self, view: Timeline, status: str, report: UsageReport | None) -> None:
        """Count one run; as a run of its agent, with what it used, only if it is inside no other."""
        if report is not None:
            self._add_run(view, status, report.total.whole_cost_usd)
        for step in view.steps:
            if step.kind == "model":
                name = step.model or step.served_by or "not named"
                _count(self.models.setdefault(name, StepTotals()), step)
            elif step.kind == "tool":
                _count(self.tools.setdefault(step.name, StepTotals()), step)

    def _add_run(self, view: Timeline, status: str, cost: float | None) -> None:
        agent = self.agents.setdefault(view.agent, AgentTotals())
        agent.runs += 1
        agent.completed += status == "completed"
        agent.failed += status == "failed"
        agent.waiting += status in ("waiting", "parked", "paused")
        agent.tokens += view.usage.total_tokens
        agent.cost = None if cost is None or agent.cost is None else agent.cost + cost
        agent.seconds.append(view.duration_s)

    def as_json(self) -> dict[str, Any]:
        """The totals, as `outlast stats --json` prints them."""
        return {
            kind: {name: _spread(asdict(each)) for name, each in sorted(part.items())}
            for kind, part in (
                ("agents", self.agents),
                ("models", self.models),
                ("tools", self.tools),
            )
        }

    def tables(self) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
        """The title, the columns and the rows of each table."""
        yield (
            "Agents",
            ("agent", "runs", "completed", "failed", "waiting", "tokens", "cost", "median"),
            [
                (
                    name,
                    a.runs,
                    a.completed,
                    a.failed,
                    a.waiting,
                    a.tokens,
                    a.cost,
                    median(a.seconds),
                )
                for name, a in sorted(self.agents.items())
            ],
        )
        for title, part in (("Models", self.models), ("Tools", self.tools)):
            head = title[:-1].lower()
            columns = (head, "calls", "errors", "tokens", "median", "p95")
            yield title, columns, [_row(name, each) for name, each in sorted(part.items())]


async def totals_of(
    journal: Journal,
    rows: Sequence[RunSummary],
    statuses: Mapping[str, str],
    since_s: float | None = None,
) -> Totals:
    """Count runs from their logs.

    Args:
        journal: Where they are kept.
        rows: Which runs.
        statuses: The words for them.
        since_s: Only those that began so many seconds ago at most.
    """
    totals = Totals()
    begun = 0.0 if since_s is None else wall_s() - since_s
    for row in rows:
        if row.created_at < begun:
            continue
        try:
            log = await journal.read(row.run_id)
        except RunNotFound:
            continue  # It was deleted meanwhile.
        view = timeline(log)
        report = None if row.parent else await report_of(journal, row.run_id, log=log)
        totals.add(view, statuses.get(row.run_id, view.status), report)
    return totals


def _count(totals: StepTotals, step: Step) -> None:
    totals.calls += 1
    totals.errors += step.outcome in ("error", "failed attempt")
    totals.tokens += step.usage.total_tokens if step.usage else 0
    if step.duration_s is not None:
        totals.seconds.append(step.duration_s)


def _row(name: str, each: StepTotals) -> tuple[Any, ...]:
    seconds = each.seconds or [0.0]
    return name, each.calls, each.errors, each.tokens, median(seconds), _p95(seconds)


def _p95(seconds: list[float]) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def _spread(facts: dict[str, Any]) -> dict[str, Any]:
    seconds: list[float] = facts.pop("seconds") or [0.0]
    return {**facts, "median_s": median(seconds), "p95_s": _p95(seconds)}
