"""Events about what is used and may be used; the rules of `core.events` hold here too."""

from __future__ import annotations

from outlast.core.records import Fact, UsageFacts


class BudgetWarned(Fact, frozen=True, tag="budget.warned"):
    """So much of a budget is used, calls that go on included, that somebody wants to know."""

    id: str
    """The call with which it came so far."""
    key: str
    """Whose budget, and which window of time."""
    budget: str
    """The same for people."""
    measure: str
    used: float
    limit: float


class LastTurnBegun(Fact, frozen=True, tag="turn.limited"):
    """No other call fits into a budget: this one is made without tools, and is to bring the answer."""

    id: str
    """The model call."""
    budget: str


class BudgetRaised(Fact, frozen=True, tag="budget.raised"):
    """Somebody added to what may be spent."""

    id: str
    """Of the command that did: it counts once, whoever applies it."""
    per: str = "run"
    agent: str = ""
    tokens: int = 0
    requests: int = 0
    tool_calls: int = 0
    nano_usd: int = 0
    ms: int = 0
    by: str = ""
    why: str = ""


class UsageAdded(Fact, frozen=True, tag="usage.added"):
    """Tokens that were spent for this run on what is no reply of it: one that was refused, or a child."""

    id: str
    usage: UsageFacts
    model: str = ""
    """The model whose reply it was, by the name that prices go by."""
    nano_usd: int | None = None
    """What it cost by the prices that the run had, in billionths of a dollar; None where it had none."""
