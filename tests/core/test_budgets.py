"""What is reserved and spent, whatever comes in whatever order, never exceeds a limit."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from outlast.core.budgets import (
    EMPTY,
    NOTHING,
    Account,
    Accounts,
    Amounts,
    Claim,
    Granted,
    Refused,
    Verdict,
    Waits,
    Wish,
    credited,
    credited_once,
    reserve,
    settle,
)

LIMIT = 100
CLAIM = Claim("k", "run 'r'", {"tokens": LIMIT})


def _ask(
    account: Account,
    name: str,
    tokens: int,
    *,
    least: int = 1,
    claim: Claim = CLAIM,
    live: bool = True,
) -> tuple[Account, Verdict]:
    wish = Wish(name, Amounts(tokens=tokens, requests=1), Amounts(tokens=least), "model")
    after, verdict = reserve({claim.key: account}, [claim], wish, lambda _: live)
    return after[claim.key], verdict


def _end(account: Account, name: str, tokens: int) -> Account:
    return settle({"k": account}, name, Amounts(tokens=tokens), "model")["k"]


@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1), st.booleans()), min_size=1, max_size=40)
)
def test_no_order_of_calls_spends_more_than_the_limit(calls: list[tuple[int, float, bool]]):
    account, open_calls = EMPTY, dict[str, tuple[int, float]]()
    for number, (tokens, share, ends_first) in enumerate(calls):
        if ends_first and open_calls:
            name, (most, part) = open_calls.popitem()
            account = _end(account, name, int(most * part))
        account, verdict = _ask(account, str(number), tokens)
        if isinstance(verdict, Granted):
            open_calls[str(number)] = (verdict.amounts.tokens, share)
        assert account.spent.tokens + account.held.tokens <= LIMIT
    for name, (most, part) in open_calls.items():
        account = _end(account, name, int(most * part))
    assert account.spent.tokens <= LIMIT
    assert account.holds == {}


@pytest.mark.parametrize(
    ("spent", "held", "wish", "word"),
    [
        (0, 0, 100, Granted),
        (0, 0, 130, Granted),  # Nothing goes on: it gets what there is.
        (60, 0, 50, Granted),
        (0, 60, 50, Waits),  # What goes on may leave enough.
        (100, 0, 1, Refused),
        (99, 0, 50, Granted),
        (100, 0, 50, Refused),
    ],
)
def test_a_call_begins_waits_or_is_refused(spent: int, held: int, wish: int, word: type[Verdict]):
    account = Account(spent=Amounts(tokens=spent))
    if held:
        account, _ = _ask(account, "other", held)
    _, verdict = _ask(account, "own", wish)
    assert isinstance(verdict, word)


def test_a_call_is_refused_where_the_largest_of_its_kind_would_not_fit():
    account, _ = _ask(EMPTY, "first", 60)
    account = _end(account, "first", 60)
    _, verdict = _ask(account, "second", 10)
    assert isinstance(verdict, Refused)
    assert (verdict.notice.used, verdict.wanted) == (60, 60)


def test_reserving_again_and_settling_again_change_nothing():
    account, first = _ask(EMPTY, "a", 60)
    again, second = _ask(account, "a", 60)
    assert (again, first) == (account, second)
    ended = _end(account, "a", 40)
    assert _end(ended, "a", 40) == ended


def test_what_a_dead_process_holds_counts_in_full():
    account, _ = _ask(EMPTY, "a", 60)
    after, verdict = _ask(account, "b", 50, live=False)
    assert after.spent.tokens == 60
    assert isinstance(verdict, Granted)
    assert verdict.amounts.tokens == 40


def test_what_is_added_to_a_limit_counts_once():
    full = Account(spent=Amounts(tokens=LIMIT))
    more = credited(full, "c1", Amounts(tokens=10))
    assert credited(more, "c1", Amounts(tokens=10)) == more
    _, verdict = _ask(more, "a", 10)
    assert isinstance(verdict, Granted)


def test_what_is_added_to_a_limit_with_windows_counts_in_one_of_them():
    notes = [{"k@1": "k@day", "r": "r"}, {"k@2": "k@day", "r": "r"}]
    known: dict[str, Account] = dict.fromkeys(("k@1", "k@2", "k@day", "r"), EMPTY)
    for each in (notes[0], notes[0], notes[1]):
        known |= credited_once(known, each, "c1", Amounts(requests=3))
    assert {key: each.credit.requests for key, each in known.items()} == {
        "k@1": 3, "k@2": 0, "k@day": 0, "r": 3,
    }  # fmt: skip


def test_limits_of_several_accounts_hold_all_or_none_is_used():
    claims = [CLAIM, Claim("t", "tenant 'a'", {"requests": 0})]
    before: Accounts = {"k": EMPTY, "t": EMPTY}
    after, verdict = reserve(before, claims, Wish("a", Amounts(5, 1)), lambda _: True)
    assert isinstance(verdict, Refused)
    assert verdict.notice.name == "tenant 'a'"
    assert after == before


@pytest.mark.parametrize(("requests", "is_last"), [(1, True), (2, False)])
def test_a_graceful_limit_says_which_call_is_the_last(requests: int, is_last: bool):
    claim = Claim("k", "run 'r'", {"requests": requests}, is_graceful=True)
    _, verdict = _ask(EMPTY, "a", 5, claim=claim)
    assert isinstance(verdict, Granted)
    assert (verdict.last is not None) == is_last


@pytest.mark.parametrize(("wish", "count"), [(79, 0), (80, 1), (100, 1)])
def test_a_warning_comes_with_the_share_that_asks_for_it(wish: int, count: int):
    claim = Claim("k", "run 'r'", {"tokens": LIMIT}, warn_at=0.8)
    _, verdict = _ask(EMPTY, "a", wish, claim=claim)
    assert isinstance(verdict, Granted)
    assert len(verdict.warnings) == count


def test_nothing_is_nothing():
    assert NOTHING.plus(Amounts(1, 2, 3, 4, 5)) == Amounts(1, 2, 3, 4, 5)
