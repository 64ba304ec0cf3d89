"""Calls under budgets: what each may take is set aside before it begins, and counted when it has ended.

Accounts stand in the journal, where runs inside runs, parallel branches and other processes see the
same ones. `core.budgets` says what fits; here it is asked, waited for, and told in the run's log.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from outlast.core.budgets import (
    NANO,
    NOTHING,
    Account,
    Accounts,
    Amounts,
    Claim,
    Granted,
    Ledger,
    Notice,
    Refused,
    Verdict,
    Waits,
    Wish,
    credited_once,
    reserve,
    settle,
)
from outlast.core.errors import BudgetExceeded, UserError
from outlast.core.events import BudgetRaised, BudgetWarned, LastTurnBegun, UsageFacts
from outlast.core.identity import RunMetadata
from outlast.core.state import RunState
from outlast.definitions.budget import Budget
from outlast.definitions.clock import wall_s
from outlast.effects.outcome import Emit
from outlast.effects.purse import Purse

_PAUSE_S = (0.01, 0.04)
_BYTES_PER_TOKEN = 3
"""Fewer than text and code have, so that what is set aside is rather too much."""
_OVERHEAD = 64
_LEAST_OUTPUT = 16
"""What the providers' APIs accept as the least `max_tokens`."""
_UNITS = {"nano_usd": ("cost_usd", NANO), "ms": ("seconds", 1000)}


@dataclass(slots=True, kw_only=True)
class Spending:
    """One call while it goes on: what it may take, and what it took."""

    grant: Granted
    actual: Amounts = NOTHING
    """What it came to; where it ends otherwise, what it has taken for certain."""
    began: float = field(default_factory=time.monotonic)
    counts_time: bool = True


class Payer(NamedTuple):
    """Who makes a call: one effect of a run."""

    purse: Purse
    run_id: str
    state: RunState
    effect_id: str
    agent: str
    emit: Emit
    part: str = ""
    """Which of several calls of the effect it is."""

    @property
    def claims(self) -> list[Claim]:
        """The limits that the call is under.

        Raises:
            UserError: A budget is a user's or a tenant's, and the run says of none.
        """
        now = wall_s()
        found = (_claim(each, root, self, now) for each, root in self.purse.budgets)
        return [claim for claim in found if claim is not None]

    @property
    def hold_id(self) -> str:
        """The name of what is set aside for this attempt."""
        attempt = self.state.attempts.get(self.effect_id, 1)
        return f"{self.run_id}\n{self.effect_id}{self.part}\n{attempt}\n{self.purse.epoch}"

    def wish(self, amounts: Amounts, least: Amounts, kind: str) -> Wish:
        """What this attempt would take."""
        who = (self.purse.ledger().owner, self.run_id, self.purse.epoch)
        return Wish(self.hold_id, amounts, least, kind, *who)


@asynccontextmanager
async def spending(
    payer: Payer, amounts: Amounts, *, least: Amounts = NOTHING, kind: str = ""
) -> AsyncGenerator[Spending]:
    """A block that is a call under budgets, which begins once what it may take is set aside.

    Raises:
        BudgetExceeded: It does not fit, and nothing that goes on will leave enough of it.
    """
    claims = payer.claims
    if not claims:
        yield Spending(grant=Granted(amounts))
        return
    ledger, keys = payer.purse.ledger(), list(dict.fromkeys(claim.key for claim in claims))
    await credit(payer)
    wish = payer.wish(amounts, least, kind)
    grant = await _granted(ledger, keys, claims, wish)
    spent = Spending(grant=grant, actual=least)
    try:
        await _tell(payer, grant)
        yield spent
    finally:
        ms = round((time.monotonic() - spent.began) * 1000) if spent.counts_time else 0
        actual = msgspec.structs.replace(spent.actual, ms=ms)
        paid = ledger.settle(keys, lambda known: (settle(known, wish.id, actual, kind), None))
        await asyncio.shield(paid)


async def credit(payer: Payer) -> None:
    """Add to the limits what people have added to them in the run's log, each once.

    Of a limit that begins anew with each window, the first window that asks gets it.
    """
    now = wall_s()
    for raised in payer.state.top_ups:
        notes: dict[str, str] = {}
        for budget, root in payer.purse.budgets:
            claim = _claim(budget, root, payer, now)
            if root == payer.run_id and _is_raised(budget, raised) and claim is not None:
                notes[claim.key] = _account(budget, root, payer)[0] + budget.window_kind
        if notes:
            keys = list(dict.fromkeys((*notes, *notes.values())))
            await payer.purse.ledger().change(keys, _crediting(raised, notes))


def _is_raised(budget: Budget, raised: BudgetRaised) -> bool:
    return budget.per == raised.per and raised.agent in ("", budget.agent)


def _crediting(
    raised: BudgetRaised, notes: Mapping[str, str]
) -> Callable[[Accounts], tuple[Accounts, None]]:
    amounts = Amounts(raised.tokens, raised.requests, raised.tool_calls, raised.nano_usd, raised.ms)

    def change(known: Accounts) -> tuple[Accounts, None]:
        return credited_once(known, notes, raised.id, amounts), None

    return change


async def _granted(
    ledger: Ledger, keys: Sequence[str], claims: Sequence[Claim], wish: Wish
) -> Granted:
    def ask(known: Mapping[str, Account]) -> tuple[Accounts, Verdict]:
        return reserve(known, claims, wish, ledger.lives)

    while True:
        verdict: Verdict = await ledger.change(keys, ask)
        match verdict:
            case Granted():
                return verdict
            case Waits():
                await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311  # not for secrets
            case Refused():
                raise _error(verdict)


async def _tell(payer: Payer, grant: Granted) -> None:
    known = payer.state.warned
    warnings = {each.key: each for each in grant.warnings if each.key not in known}
    events: list[Any] = [
        BudgetWarned(payer.effect_id, each.key, each.name, *_told(each))
        for each in warnings.values()
    ]
    if grant.last is not None:
        events.append(LastTurnBegun(payer.effect_id, grant.last.name))
    if events:
        await payer.emit(*events)


def _told(notice: Notice) -> tuple[str, float, float]:
    """A measure with what is used and the limit, in the units of a `Budget`."""
    name, unit = _UNITS.get(notice.measure, (notice.measure, 1))
    return name, notice.used / unit, notice.limit / unit


def _error(refused: Refused) -> BudgetExceeded:
    measure, used, limit = _told(refused.notice)
    wanted = refused.wanted / _UNITS.get(refused.notice.measure, ("", 1))[1]
    error = BudgetExceeded(refused.notice.name, measure, limit, used, wanted)
    error.is_graceful = refused.is_graceful
    return error


def _claim(budget: Budget, root: str, payer: Payer, now: float) -> Claim | None:
    if budget.agent is not None and budget.agent != payer.agent:
        return None
    whose, name = _account(budget, root, payer)
    window = budget.window_start(now)
    return budget.claim(whose + window, name + (f" ({window[1:]})" if window else ""))


def _account(budget: Budget, root: str, payer: Payer) -> tuple[str, str]:
    """Where all windows of a budget are counted, and its name for people."""
    whose, name = _whose(budget, root, payer)
    if budget.per == "agent" or budget.agent is not None:
        whose += f"agent:{payer.agent}"
        name = f"agent {payer.agent!r}" + ("" if budget.per == "agent" else f" of {name}")
    return whose, name


def _whose(budget: Budget, root: str, payer: Payer) -> tuple[str, str]:
    if budget.per == "run" or (budget.per == "agent" and budget.window is None):
        return f"run:{root}\n", f"run {root!r}"
    if budget.per in ("agent", "journal"):
        return "journal\n", "the journal"
    started = payer.state.started
    metadata = started.metadata if started else RunMetadata()
    value = metadata.user if budget.per == "user" else metadata.tenant
    if not value:
        raise UserError(
            f"Run {payer.run_id!r} has a budget per {budget.per}, and says of no {budget.per}. Give "
            f"RunConfig(metadata={{{budget.per!r}: ...}})."
        )
    return f"{budget.per}:{value}\n", f"{budget.per} {value!r}"


# --- What a model call may take. ---------------------------------------------------------


class Estimate(NamedTuple):
    """What a model call is thought to take, and what it takes at the least."""

    amounts: Amounts
    least: Amounts
    sent: int
    """Tokens that the model reads."""


def estimate(purse: Purse, model: str, texts: Sequence[Any], max_tokens: int | None) -> Estimate:
    """What a call of ``model`` with ``texts`` may take, rather too much than too little.

    Raises:
        UserError: There is a limit in dollars, and no price for the model.
    """
    written = sum(len(msgspec.json.encode(each, enc_hook=str)) for each in texts)
    sent = written // _BYTES_PER_TOKEN + _OVERHEAD
    answer = max_tokens or max(budget.output_tokens for budget, _ in purse.budgets)
    usage = UsageFacts(1, sent, answer, sent + answer)
    least = UsageFacts(1, sent, _LEAST_OUTPUT, sent + _LEAST_OUTPUT)
    return Estimate(
        Amounts(usage.total_tokens, 1, 0, cost_of(purse, model, usage), 1),
        Amounts(least.total_tokens, 1, 0, cost_of(purse, model, least), 1),
        sent,
    )


def cost_of(purse: Purse, model: str, usage: UsageFacts) -> int:
    """What a call costs, in billionths of a dollar; 0 where nobody limits that and no price is known.

    Raises:
        UserError: There is a limit in dollars, and no price.
    """
    cost = purse.prices.cost(model, usage, wall_s())
    if cost is None and purse.limits("cost_usd"):
        raise UserError(
            f"The run has a limit in dollars, and no price is known for the model {model!r}. Give "
            "RunConfig(prices=PriceTable([Price(model=..., input=..., output=...)])), or install "
            "the prices: pip install '.[prices]' in a clone of Outlast."
        )
    return cost or 0


def longest_answer(purse: Purse, model: str, grant: Granted, sent: int) -> int | None:
    """How many tokens the model may answer where less was granted than wished for; else None."""
    if not grant.is_short:
        return None
    room = grant.amounts.tokens - sent if purse.limits("tokens") else None
    if purse.limits("cost_usd"):
        read = cost_of(purse, model, UsageFacts(1, sent))
        each = cost_of(purse, model, UsageFacts(1, 0, 1000)) / 1000
        affordable = int((grant.amounts.nano_usd - read) / each) if each else room
        room = affordable if room is None else min(room, affordable or 0)
    return None if room is None else max(_LEAST_OUTPUT, room)
