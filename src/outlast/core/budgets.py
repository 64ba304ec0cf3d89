"""What may be spent, and what is: reservations before each call, settled by what it came to.

Pure: `reserve` and `settle` are functions of accounts. Somebody else keeps the accounts where every
process sees them (`journal.ledger`), and changes several of them in one transaction.

    wish ──reserve──▶ hold ──settle──▶ spent

A hold counts in full until it is settled, and for good once whoever made it performs its run no more.
So whoever comes second sees what the first one may still cost, and all together never spend more than
the limit, as long as no call costs more than it holds.
Money is counted in billionths of a dollar, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

MEASURES = ("tokens", "requests", "tool_calls", "nano_usd", "ms")
_UNCERTAIN = ("tokens", "nano_usd", "ms")
"""What a call takes of these is known only when it has ended."""
NANO = 1_000_000_000


class Amounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of each measure."""

    tokens: int = 0
    requests: int = 0
    tool_calls: int = 0
    nano_usd: int = 0
    ms: int = 0

    def of(self, measure: str) -> int:
        """How much of one measure."""
        value: int = getattr(self, measure)
        return value

    def plus(self, other: Amounts) -> Amounts:
        """The sum."""
        return Amounts(*(self.of(each) + other.of(each) for each in MEASURES))

    def most(self, other: Amounts) -> Amounts:
        """The larger one of each measure."""
        return Amounts(*(max(self.of(each), other.of(each)) for each in MEASURES))


NOTHING = Amounts()


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a call that goes on may take."""

    amounts: Amounts
    owner: str = ""
    """The process that makes the call."""
    run_id: str = ""
    """The run that it is a part of."""
    epoch: int = 0
    """Which acquisition of that run makes it."""


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was spent under one limit, and what is held."""

    spent: Amounts = NOTHING
    credit: Amounts = NOTHING
    """What was added to the limit."""
    credits: tuple[str, ...] = ()
    """The ids of what was added: each counts once."""
    largest: dict[str, Amounts] = {}
    """The most that one call of a kind has taken, by kind."""
    holds: dict[str, Hold] = {}

    @property
    def held(self) -> Amounts:
        """What all holds amount to."""
        total = NOTHING
        for hold in self.holds.values():
            total = total.plus(hold.amounts)
        return total


EMPTY = Account()


class Claim(msgspec.Struct, frozen=True):
    """A limit that a call is under, and the account that counts for it."""

    key: str
    name: str
    """For people: whose limit it is."""
    limits: dict[str, int]
    warn_at: float = 1.0
    is_graceful: bool = False
    """Whether the last call that fits is to bring the answer."""


class Wish(msgspec.Struct, frozen=True):
    """What a call may take."""

    id: str
    """Of the hold: the run, the effect and its attempt."""
    amounts: Amounts
    least: Amounts = NOTHING
    """With less it need not begin."""
    kind: str = ""
    """Calls of one kind cost alike: the model's name."""
    owner: str = ""
    run_id: str = ""
    epoch: int = 0


class Notice(msgspec.Struct, frozen=True):
    """How far a limit is used."""

    key: str
    name: str
    measure: str
    used: int
    limit: int


class Granted(msgspec.Struct, frozen=True):
    """The call may begin."""

    amounts: Amounts
    is_short: bool = False
    """Whether it is less than was wished for."""
    last: Notice | None = None
    """The graceful limit under which no other such call fits."""
    warnings: tuple[Notice, ...] = ()


class Waits(msgspec.Struct, frozen=True):
    """Calls that go on hold what this one needs, and may leave enough of it."""


class Refused(msgspec.Struct, frozen=True):
    """The call must not begin."""

    notice: Notice
    wanted: int
    is_graceful: bool = False


Verdict = Granted | Waits | Refused
Accounts = Mapping[str, Account]


class Ledger(Protocol):
    """Where accounts are kept."""

    @property
    def owner(self) -> str:
        """The name of this process, as holds have it."""
        ...

    def lives(self, hold: Hold) -> bool:
        """Whether the call still goes on, as far as can be seen: nobody has put down or taken its run."""
        ...

    async def change(self, keys: Sequence[str], change: Change) -> Any:
        """Replace accounts by what ``change`` makes of them, all or none; what else it says."""
        ...

    async def settle(self, keys: Sequence[str], change: Change) -> None:
        """The same for the end of a call: where it cannot be written now, the next change writes it."""
        ...

    def get(self, key: str) -> Account:
        """An account as it is now."""
        ...


Change = Callable[[Accounts], tuple[Accounts, Any]]


def reserve(
    accounts: Accounts, claims: Sequence[Claim], wish: Wish, lives: Callable[[Hold], bool]
) -> tuple[Accounts, Verdict]:
    """The accounts with the hold, if the call may begin, and whether it may.

    A hold whose call is gone counts as spent, in full: nobody knows what it has cost.
    """
    known = {claim.key: _buried(accounts[claim.key], lives) for claim in claims}
    before = next((known[c.key].holds.get(wish.id) for c in claims), None)
    if before is not None:
        return known, Granted(before.amounts)
    wanted = wish.amounts
    for account in known.values():
        wanted = wanted.most(_uncertain(account.largest.get(wish.kind, NOTHING)))
    floor = wish.least.most(wanted if wanted != wish.amounts else NOTHING)
    grant, refusal, is_held = wanted, None, False
    for claim in claims:
        account = known[claim.key]
        for measure in claim.limits:
            left = _left(claim, account, measure)
            if left >= wanted.of(measure) or not wanted.of(measure):
                continue
            needed = max(floor.of(measure), _largest(account, wish, measure))
            if measure not in _UNCERTAIN or left < needed or left <= 0:
                is_held = is_held or _may_come(claim, account, measure, needed)
                refusal = refusal or Refused(
                    _notice(claim, account, measure), wanted.of(measure), claim.is_graceful
                )
            else:
                is_held = is_held or account.held.of(measure) > 0
                grant = replace(grant, **{measure: min(grant.of(measure), left)})
    if is_held:
        return known, Waits()
    if refusal is not None:
        return known, refusal
    last = _last(claims, known, grant, wanted)
    if last is not None and _has_holds(known[last.key], last.measure):
        return known, Waits()
    hold = Hold(grant, wish.owner, wish.run_id, wish.epoch)
    after = {
        key: replace(account, holds={**account.holds, wish.id: hold})
        for key, account in known.items()
    }
    warnings = tuple(_warnings(claims, after))
    return after, Granted(grant, grant != wanted, last, warnings)


def settle(accounts: Accounts, hold_id: str, actual: Amounts, kind: str = "") -> Accounts:
    """The accounts once the call has ended; unchanged where it holds nothing any more."""
    return {key: _settled(account, hold_id, actual, kind) for key, account in accounts.items()}


def credited(account: Account, credit_id: str, amounts: Amounts) -> Account:
    """The account with more to spend; unchanged where this was added before."""
    if credit_id in account.credits:
        return account
    added = account.credit.plus(amounts)
    return replace(account, credit=added, credits=(*account.credits, credit_id))


def credited_once(
    accounts: Accounts, notes: Mapping[str, str], credit_id: str, amounts: Amounts
) -> Accounts:
    """The accounts with more to spend, but those of a window where an earlier window had it.

    Args:
        accounts: All of them, with those that ``notes`` name.
        notes: For each account that gets it, the one that notes what all of its windows got.
        credit_id: What is added.
        amounts: How much.
    """
    after = dict(accounts)
    for key, note in notes.items():
        if note == key or credit_id not in accounts[note].credits:
            after[key] = credited(after[key], credit_id, amounts)
        if note != key:
            after[note] = credited(after[note], credit_id, NOTHING)
    return after


def _settled(account: Account, hold_id: str, actual: Amounts, kind: str) -> Account:
    if hold_id not in account.holds:
        return account
    holds = {key: hold for key, hold in account.holds.items() if key != hold_id}
    largest = {**account.largest, kind: account.largest.get(kind, NOTHING).most(actual)}
    return replace(account, spent=account.spent.plus(actual), holds=holds, largest=largest)


def _buried(account: Account, lives: Callable[[Hold], bool]) -> Account:
    dead = {key: hold for key, hold in account.holds.items() if not lives(hold)}
    if not dead:
        return account
    spent = account.spent
    for hold in dead.values():
        spent = spent.plus(hold.amounts)
    holds = {key: hold for key, hold in account.holds.items() if key not in dead}
    return replace(account, spent=spent, holds=holds)


def _uncertain(amounts: Amounts) -> Amounts:
    return Amounts(tokens=amounts.tokens, nano_usd=amounts.nano_usd)


def _largest(account: Account, wish: Wish, measure: str) -> int:
    return _uncertain(account.largest.get(wish.kind, NOTHING)).of(measure)


def _limit(claim: Claim, account: Account, measure: str) -> int:
    return claim.limits[measure] + account.credit.of(measure)


def _left(claim: Claim, account: Account, measure: str) -> int:
    used = account.spent.of(measure) + account.held.of(measure)
    return _limit(claim, account, measure) - used


def _may_come(claim: Claim, account: Account, measure: str, needed: int) -> bool:
    """Whether what is missing is held, and may be left over."""
    free = _limit(claim, account, measure) - account.spent.of(measure)
    return measure in _UNCERTAIN and account.held.of(measure) > 0 and free >= max(needed, 1)


def _has_holds(account: Account, measure: str) -> bool:
    return measure in _UNCERTAIN and account.held.of(measure) > 0


def _last(
    claims: Sequence[Claim], known: Accounts, grant: Amounts, wanted: Amounts
) -> Notice | None:
    """The graceful limit under which no other such call will fit."""
    if not grant.requests:
        return None
    for claim in claims:
        account = known[claim.key]
        for measure in claim.limits if claim.is_graceful else ():
            left = _left(claim, account, measure) - grant.of(measure)
            if left < max(wanted.of(measure), 1):
                return _notice(claim, account, measure)
    return None


def _warnings(claims: Sequence[Claim], accounts: Accounts) -> list[Notice]:
    notices = [
        _notice(claim, accounts[claim.key], measure)
        for claim in claims
        for measure in claim.limits
        if claim.warn_at < 1
    ]
    shares = {claim.key: claim.warn_at for claim in claims}
    return [each for each in notices if each.used >= shares[each.key] * each.limit]


def _notice(claim: Claim, account: Account, measure: str) -> Notice:
    used = account.spent.of(measure) + account.held.of(measure)
    return Notice(claim.key, claim.name, measure, used, _limit(claim, account, measure))
