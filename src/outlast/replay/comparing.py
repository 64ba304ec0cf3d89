"""In what two runs differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from outlast.effects.config import RunConfig
from outlast.journal.journal import Journal
from outlast.run.costs import report_of
from outlast.run.request import journal_of
from outlast.views.divergence import difference
from outlast.views.steps import timeline
from outlast.views.timeline import Step, Timeline


@dataclass(frozen=True, slots=True)
class Difference:
    """One step that only one of two runs has, or that came to something else."""

    place: str
    """The step's id."""
    name: str
    before: str
    """What it came to in the first run; empty where that has no such step."""
    after: str
    """The same of the second."""


@dataclass(frozen=True, slots=True)
class RunDiff:
    """Two runs, side by side."""

    runs: tuple[str, str]
    status: tuple[str, str]
    output: tuple[str, str]
    steps: tuple[Difference, ...]
    """Those that differ."""
    counts: tuple[int, int]
    """How many steps each has."""
    tokens: tuple[int, int]
    cost: tuple[float | None, float | None]
    """In US dollars; None where the price of a model is not known."""
    duration_s: tuple[float, float]

    @property
    def is_same(self) -> bool:
        """Whether both came to the same by the same steps."""
        return (
            not self.steps and self.status[0] == self.status[1] and self.output[0] == self.output[1]
        )

    def __str__(self) -> str:
        lines = [f"{'':10} {self.runs[0]:>24} {self.runs[1]:>24}"]
        money = [_money(each) for each in self.cost]
        table: dict[str, tuple[Any, Any]] = {
            "status": self.status,
            "steps": self.counts,
            "tokens": self.tokens,
            "cost": (money[0], money[1]),
            "seconds": (f"{self.duration_s[0]:.1f}", f"{self.duration_s[1]:.1f}"),
        }
        lines += [f"{name:10} {a!s:>24} {b!s:>24}" for name, (a, b) in table.items()]
        lines += [f"{each.place} {each.name}\n{_sides(each)}" for each in self.steps]
        if self.output[0] != self.output[1]:
            lines.append(f"output\n{difference(*self.output)}")
        return "\n".join(lines)


async def diff(first: str, second: str, *, journal: Any = None) -> RunDiff:
    """Say in what two runs differ: what they came to, their steps, what they took.

    Args:
        first: A run.
        second: Another one, such as a fork of it.
        journal: Where both are kept, as in `RunConfig`.

    Raises:
        RunNotFound: There is no such run.
    """
    kept = journal_of(RunConfig(journal=journal))
    one, other = await _seen(kept, first), await _seen(kept, second)
    return RunDiff(
        runs=(first, second),
        status=(one.status, other.status),
        output=(one.output or one.error, other.output or other.error),
        steps=tuple(_differing(one, other)),
        counts=(len(_final(one)), len(_final(other))),
        tokens=(one.usage.total_tokens, other.usage.total_tokens),
        cost=(await run_cost(kept, first), await run_cost(kept, second)),
        duration_s=(one.duration_s, other.duration_s),
    )


async def run_cost(journal: Journal, run_id: str) -> float | None:
    """What a run and those inside it cost in US dollars; None where a price is not known."""
    total = (await report_of(journal, run_id)).total
    return None if total.unpriced else total.cost_usd


async def _seen(journal: Journal, run_id: str) -> Timeline:
    return timeline(await journal.read(run_id))


def _differing(one: Timeline, other: Timeline) -> Iterable[Difference]:
    then, now = _final(one), _final(other)
    for key in {**then, **now}:
        before, after = then.get(key), now.get(key)
        step = before or after
        assert step
        told = _told(before), _told(after)
        if told[0] != told[1]:
            yield Difference(key, step.name or step.kind, *told)


def _final(view: Timeline) -> dict[str, Step]:
    """Each step as it came out in the end."""
    return {f"{step.id}{step.stage and ' ' + step.stage}": step for step in view.steps}


def _told(step: Step | None) -> str:
    if step is None:
        return ""
    return f"{step.outcome}: {step.detail}" if step.detail else step.outcome


def _sides(each: Difference) -> str:
    marks: list[tuple[str, str]] = [("-", each.before), ("+", each.after)]
    keep: Callable[[tuple[str, str]], bool] = lambda side: bool(side[1])  # noqa: E731
    return "\n".join(f"  {mark} {text}" for mark, text in filter(keep, marks))


def _money(cost: float | None) -> str:
    return "not known" if cost is None else f"${cost:.4f}"
