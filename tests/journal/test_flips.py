"""A flipped bit is found out, wherever it is; `make flips` tries thousands."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from contract import begin, step
from flips import campaign

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.core.errors import JournalCorrupt, JournalError
from outlast.journal import SqliteJournal
from outlast.journal.opening import close_journals
from outlast.testing import ScriptedModel, assistant_message, function_call

PAID: list[str] = []


@function_tool(on_uncertain="once")
async def pay() -> str:
    """Pay once."""
    PAID.append("paid")
    return "paid"


def go(file: Path, run_id: str) -> str:
    script = [[function_call("pay", {}, call_id="c1")], [assistant_message("all paid")]]
    agent = Agent(name="desk", model=ScriptedModel(script), tools=[pay])
    config = RunConfig(journal=str(file), durability="process")

    async def run() -> str:
        result = await Runner.run(agent, "pay", run_id=run_id, run_config=config)
        return str(result.final_output)

    try:
        return asyncio.run(run())
    finally:
        close_journals()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_no_flipped_bit_is_silently_wrong(seed: int):
    ends, silent = campaign(60, seed, 2)
    assert silent == []
    assert ends["an error"] >= 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "page_of", ["sqlite_autoindex_run_1", "run_key", "run_shown", "run", "log"]
)
def test_a_bit_in_any_page_of_structure_starts_no_run_again(tmp_path: Path, page_of: str):
    sound = tmp_path / "sound.db"
    for n in range(20):
        go(sound, f"order-{n}")
    with closing(sqlite3.connect(sound)) as db:
        (page,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (page_of,)
        ).fetchone()
    before, paid, errors = sound.read_bytes(), len(PAID), 0
    for n, at in enumerate(range((page - 1) * 4096, page * 4096, 67)):
        bad = bytearray(before)
        bad[at] ^= 1 << (n % 8)
        file = tmp_path / f"bad-{n}.db"
        file.write_bytes(bad)
        try:
            assert go(file, "order-7") == "all paid"
        except JournalError:
            errors += 1
        assert len(PAID) == paid
        for left in tmp_path.glob(f"bad-{n}.db*"):
            left.unlink()
    assert errors or page_of in ("run_key", "run_shown")


async def test_a_log_that_has_lost_its_end_is_an_error(tmp_path: Path):
    file = tmp_path / "short.db"
    journal = SqliteJournal(file, durability="process")
    lease = await begin(journal)
    for n in range(5):
        await journal.append(lease, [step(n)])
    await journal.close()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DELETE FROM log WHERE place = (SELECT max(place) FROM log)")
    again = SqliteJournal(file, durability="process")
    with pytest.raises(JournalCorrupt, match=r"Event 5 .* missing; the log has 6 events"):
        await again.read("r")
    await again.close()


async def test_a_row_that_an_index_has_lost_is_an_error_in_every_list(tmp_path: Path):
    file = tmp_path / "lost.db"
    journal = SqliteJournal(file, durability="process")
    for n in range(5):
        await begin(journal, f"r{n}")
    await journal.close()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE run SET status = 'failed' WHERE id = 'r2'")
    again = SqliteJournal(file, durability="process")
    for status in (None, "failed"):
        with pytest.raises(JournalCorrupt, match="r2"):
            await again.runs(status=status)
    assert await again.runs(status="waiting") == []
    assert len(await again.runs(limit=2)) == 2
    assert [run.run_id for run in await again.runs(limit=1, before="r4")] == ["r3"]
    await again.close()
