"""How much may be spent: per run, agent, user or tenant, for good or in each window of time."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from typing import Any, Literal

from outlast.core.budgets import NANO, Claim
from outlast.core.errors import AgentsException, IncompatibleRun, UserError
from outlast.definitions.clock import utc
from outlast.definitions.given import check_number

Per = Literal["run", "agent", "user", "tenant", "journal"]
Window = Literal["minute", "hour", "day", "week", "month"]
_STARTS: dict[str, str] = {
    "minute": "%Y-%m-%dT%H:%M",
    "hour": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "week": "%G-W%V",
    "month": "%Y-%m",
}

MOST = 2**60
"""The most that is counted of a measure: two of them still fit into a database's whole number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent, by all that share it: runs inside runs, parallel branches, other processes.

    Before each call what it may take is set aside; where that does not fit the call does not begin.
    All processes that use one journal count together, and what was spent outlives them.

    Attributes:
        tokens: Tokens of models, input and output together.
        requests: Model calls, failed attempts included.
        tool_calls: Calls of tools that this process performs, agents used as tools among them.
        cost_usd: Dollars. Needs a price for each model: see `RunConfig.prices`.
        seconds: How long model calls and tools take, added up.
        per: Whose it is. ``"run"`` is a run with all runs inside it; ``"agent"`` each agent's own, of one
            run, or of all runs where there is a window; ``"user"`` and ``"tenant"`` are those of the
            run's metadata; ``"journal"`` is everybody's.
        agent: The name of the only agent that it is about.
        window: A new limit begins with each ``"minute"``, ``"hour"``, ``"day"``, ``"week"`` or
            ``"month"`` (of UTC), or each time so much time has passed. None: the limit is for good.
        warn_at: From which share on a warning is recorded, once per run; 1 for none.
        on_exceeded: ``"stop"`` fails the run with `BudgetExceeded`. ``"last_turn"`` makes the last call
            that fits one without tools, which has to bring the answer.
        output_tokens: What is set aside for an answer where the model's settings have no `max_tokens`.

    Raises:
        UserError: There is no limit, or a value is out of range.
    """

    tokens: int | None = None
    requests: int | None = None
    tool_calls: int | None = None
    cost_usd: float | None = None
    seconds: float | None = None
    per: Per = "run"
    agent: str | None = None
    window: Window | timedelta | None = None
    warn_at: float = 0.8
    on_exceeded: Literal["stop", "last_turn"] = "stop"
    output_tokens: int = 4096

    def __post_init__(self) -> None:
        if not self.limits():
            raise UserError(
                "A Budget needs a limit: tokens, requests, tool_calls, cost_usd or seconds."
            )
        if self.per not in ("run", "agent", "user", "tenant", "journal"):
            raise UserError(
                f"Budget(per=...) is 'run', 'agent', 'user', 'tenant' or 'journal', got {self.per!r:.40}."
            )
        if self.per == "run" and self.window is not None:
            raise UserError("A run's budget has no window: give per='user', 'tenant' or 'journal'.")
        check_number("Budget(warn_at=...)", self.warn_at, above=True, most=1)
        check_number("Budget(output_tokens=...)", self.output_tokens, whole=True, most=MOST)
        if self.on_exceeded not in ("stop", "last_turn"):
            raise UserError(
                f"Budget(on_exceeded=...) is 'stop' or 'last_turn', got {self.on_exceeded!r:.40}."
            )
        _check_window(self.window)

    def limits(self) -> dict[str, int]:
        """The limits by measure, in whole numbers."""
        return limits_of(
            "Budget",
            tokens=self.tokens,
            requests=self.requests,
            tool_calls=self.tool_calls,
            cost_usd=self.cost_usd,
            seconds=self.seconds,
        )

    def claim(self, key: str, name: str) -> Claim:
        """The claim that a call makes under this budget."""
        return Claim(key, name, self.limits(), self.warn_at, self.on_exceeded == "last_turn")

    @property
    def window_kind(self) -> str:
        """The name of all windows of this length together; empty where the limit is for good."""
        if isinstance(self.window, timedelta):
            return f"@+{self.window.total_seconds():g}s"
        return f"@{self.window}" if self.window else ""

    def window_start(self, now: float) -> str:
        """The name of the window that ``now`` is in; empty where the limit is for good."""
        if self.window is None:
            return ""
        if isinstance(self.window, timedelta):
            length = self.window.total_seconds()
            return f"@{int(now // length * length)}+{length:g}s"
        return f"@{utc(now).strftime(_STARTS[self.window])}"


def budget_facts(budget: Budget) -> dict[str, Any]:
    """A budget as a log has it: what of it is not the default. A window of its own is in seconds."""
    found = {each.name: getattr(budget, each.name) for each in fields(Budget)}
    if isinstance(budget.window, timedelta):
        found["window"] = budget.window.total_seconds()
    defaults = {each.name: each.default for each in fields(Budget) if each.default is not MISSING}
    return {name: value for name, value in found.items() if value != defaults[name]}


def budget_of(facts: dict[str, Any]) -> Budget:
    """The budget that a log has.

    Raises:
        IncompatibleRun: This version knows no such budget.
    """
    window: Any = facts.get("window")
    try:
        if window is not None and not isinstance(window, str):
            window = timedelta(seconds=window)
        given: dict[str, Any] = {**facts, "window": window}
        return Budget(**given)
    except (AgentsException, TypeError) as error:
        raise IncompatibleRun(
            "The run has a budget that this version of Outlast does not know, so that nothing was done. "
            "Upgrade Outlast, or go on with limits that hold instead: RunConfig(budgets=...)."
        ) from error


def _check_window(window: object) -> None:
    is_length = isinstance(window, timedelta) and window > timedelta(0)
    if window is not None and window not in _STARTS and not is_length:
        raise UserError(
            f"Budget(window=...) is one of {', '.join(_STARTS)}, or a timedelta above 0, got {window!r:.60}."
        )


def limits_of(
    where: str,
    *,
    tokens: int | None = None,
    requests: int | None = None,
    tool_calls: int | None = None,
    cost_usd: float | None = None,
    seconds: float | None = None,
) -> dict[str, int]:
    """What is limited, by measure, in whole numbers.

    Raises:
        WrongType: An amount is no number, or no whole one where it counts something.
        WrongValue: It is below 0, no number, or more than can be counted.
    """
    counts = {"tokens": tokens, "requests": requests, "tool_calls": tool_calls}
    found = {measure: count for measure, count in counts.items() if count is not None}
    for measure, count in found.items():
        check_number(f"{where}({measure}=...)", count, whole=True, most=MOST)
    if cost_usd is not None:
        check_number(f"{where}(cost_usd=...)", cost_usd, most=MOST / NANO)
        found["nano_usd"] = round(cost_usd * NANO)
    if seconds is not None:
        check_number(f"{where}(seconds=...)", seconds, most=MOST / 1000)
        found["ms"] = round(seconds * 1000)
    return {measure: int(limit) for measure, limit in found.items()}
