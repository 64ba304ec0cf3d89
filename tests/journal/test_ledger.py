"""What a call had set aside counts as spent once nobody performs it, wherever that was."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from outlast.core.budgets import Accounts, Amounts, Claim, Granted, Verdict, Wish, reserve, settle
from outlast.core.events import RunStarted
from outlast.journal import MemoryJournal, SqliteJournal
from outlast.journal.heartbeat import Pulses, beat
from outlast.journal.ledger import SqliteLedger

SIX = Amounts(tokens=6)
CLAIM = Claim("k", "run 'r'", {"tokens": 10})
PLACES = {
    "another machine": "1b4e28ba-2fa1-11d2-883f-0016d3cca427/4026531836:7:1:far",
    "another boot": "00000000-0000-0000-0000-000000000000/4026531836:7:1:",
}


def wish(name: str, owner: str) -> Wish:
    return Wish(name, SIX, SIX, owner=owner)


@pytest.mark.parametrize("place", PLACES)
async def test_the_hold_of_a_process_elsewhere_ends_with_its_heartbeat(tmp_path: Path, place: str):
    path, now, owner = tmp_path / "journal.db", [100.0], PLACES[place]
    journal = SqliteJournal(path)
    journal.committer.db.execute("BEGIN")
    beat(journal.committer.db, owner, 3.0)
    journal.committer.db.execute("COMMIT")
    ledger = SqliteLedger(path, Pulses(clock=lambda: now[0]), journal.is_held)

    async def asked(name: str, by: str) -> Verdict:
        def change(known: Accounts) -> tuple[Accounts, Verdict]:
            return reserve(known, [CLAIM], wish(name, by), ledger.lives)

        return await ledger.change(["k"], change)

    assert isinstance(await asked("theirs", owner), Granted)
    assert type(await asked("ours", ledger.owner)).__name__ == "Waits"
    now[0] += 20
    assert type(await asked("ours", ledger.owner)).__name__ == "Waits"
    now[0] += 2
    assert type(await asked("ours", ledger.owner)).__name__ == "Refused"
    assert ledger.get("k").spent.tokens == 6
    ledger.close()
    await journal.close()


async def _asked(journal: Any, name: str, run_id: str = "", epoch: int = 0) -> Verdict:
    ledger = journal.ledger

    def change(known: Accounts) -> tuple[Accounts, Verdict]:
        asks = Wish(name, SIX, SIX, "", ledger.owner, run_id, epoch)
        return reserve(known, [CLAIM], asks, ledger.lives)

    return await ledger.change(["k"], change)


@pytest.mark.parametrize("how", ["put down", "taken over", "dropped"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_hold_ends_with_the_acquisition_of_the_run_that_made_it(
    tmp_path: Path, kind: str, how: str
):
    journal: Any = MemoryJournal() if kind == "memory" else SqliteJournal(tmp_path / "journal.db")
    lease = await journal.acquire("r", new=True)
    await journal.append(lease, [RunStarted("a", [])])
    first = lease.epoch
    assert isinstance(await _asked(journal, "r's", "r", first), Granted)
    assert type(await _asked(journal, "another", "s", 1)).__name__ == "Waits"

    if how == "put down":
        await journal.release(lease)
    elif how == "taken over":
        lease = await journal.acquire("r", force=True)
        assert lease.epoch > first
    else:
        del lease
    assert type(await _asked(journal, "another", "s", 1)).__name__ == "Refused"
    account = journal.ledger.get("k")
    assert (account.spent.tokens, account.holds) == (6, {})
    await journal.close()


async def test_the_end_of_a_call_that_could_not_be_written_is_written_with_the_next_change(
    tmp_path: Path,
):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, busy_s=0.01)
    lease = await journal.acquire("r", new=True)
    await journal.append(lease, [RunStarted("a", [])])
    await _asked(journal, "r's", "r", lease.epoch)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    paid = Amounts(tokens=1)
    await journal.ledger.settle(["k"], lambda known: (settle(known, "r's", paid), None))
    assert journal.ledger.get("k").holds
    other.execute("ROLLBACK")
    other.close()

    assert isinstance(await _asked(journal, "again", "r", lease.epoch), Granted)
    account = journal.ledger.get("k")
    assert (account.spent.tokens, [*account.holds]) == (1, ["again"])
    await journal.release(lease)
    await journal.close()
