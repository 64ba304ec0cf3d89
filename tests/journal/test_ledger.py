"""What a process had set aside counts as spent once it is dead, wherever it was."""

from pathlib import Path

import pytest

from outlast.core.budgets import Accounts, Amounts, Claim, Granted, Verdict, Wish, reserve
from outlast.journal import SqliteJournal
from outlast.journal.heartbeat import Pulses, beat
from outlast.journal.ledger import SqliteLedger

CLAIM = Claim("k", "run 'r'", {"tokens": 10})
PLACES = {
    "another machine": "1b4e28ba-2fa1-11d2-883f-0016d3cca427/4026531836:7:1:far",
    "another boot": "00000000-0000-0000-0000-000000000000/4026531836:7:1:",
}


def wish(name: str, owner: str) -> Wish:
    return Wish(name, Amounts(tokens=6), owner=owner)


@pytest.mark.parametrize("place", PLACES)
async def test_the_hold_of_a_process_elsewhere_ends_with_its_heartbeat(tmp_path: Path, place: str):
    path, now, owner = tmp_path / "journal.db", [100.0], PLACES[place]
    journal = SqliteJournal(path)
    journal.committer.db.execute("BEGIN")
    beat(journal.committer.db, owner, 3.0)
    journal.committer.db.execute("COMMIT")
    ledger = SqliteLedger(path, Pulses(clock=lambda: now[0]))

    async def asked(name: str, by: str) -> Verdict:
        def change(known: Accounts) -> tuple[Accounts, Verdict]:
            return reserve(known, [CLAIM], wish(name, by), ledger.lives)

        return await ledger.change(["k"], change)

    assert isinstance(await asked("theirs", owner), Granted)
    assert type(await asked("ours", ledger.owner)).__name__ == "Waits"
    now[0] += 20
    assert type(await asked("ours", ledger.owner)).__name__ == "Waits"
    now[0] += 2
    assert type(await asked("ours", ledger.owner)).__name__ == "Granted"
    assert ledger.get("k").spent.tokens == 6
    ledger.close()
    await journal.close()
