"""A program may have a journal for each of its tenants, however few files it may open."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from contract import STARTED, begin, step

from outlast.core.errors import JournalCorrupt
from outlast.journal import SqliteJournal

needs_limits = pytest.mark.skipif(os.name != "posix", reason="no limits of open files")
CASES = (
    "one_after_another",
    "in_one_loop",
    "in_threads",
    "after_a_fork",
    "by_commands_and_views",
    "a_run_that_is_held",
)


@needs_limits
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_sixty_journals_work_with_a_limit_of_128_files(tmp_path: Path, case: str):
    script = Path(__file__).with_name("resting_children.py")
    told = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), case],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line for line in told.stdout.splitlines() if line.startswith(("done", "open"))]
    assert lines[:1] == ["done 120"], told.stderr[-3000:]
    assert int(lines[1].split()[1]) < 64


async def test_a_journal_in_use_keeps_its_files(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    lease = await begin(journal)
    assert not journal.rest()
    await journal.release(lease, waits=True)
    assert journal.rest()
    again = await journal.acquire("r")
    assert again.epoch == 2
    await journal.append(again, [step(1)])
    assert [stored.event for stored in await journal.read("r")] == [STARTED, step(1)]
    await journal.close()
    assert journal.rest()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
async def test_a_journal_whose_folder_is_gone_keeps_no_other_from_work(tmp_path: Path):
    folder = tmp_path / "gone"
    journal = SqliteJournal(folder / "journal.db", durability="process")
    await journal.release(await begin(journal), waits=True)
    if (child := os.fork()) == 0:  # Closes the connections of the parent, too.
        os._exit(0)
    os.waitpid(child, 0)  # noqa: ASYNC222  # it ends at once
    shutil.rmtree(folder)
    assert journal.rest()


async def test_what_waits_to_be_stored_is_not_forgotten_by_a_journal_that_rests(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    name = journal.blobs.put(b"something big")
    assert journal.rest()
    lease = await begin(journal)
    await journal.release(lease)
    other = SqliteJournal(tmp_path / "journal.db", durability="process")
    assert other.blobs.get(name) == b"something big"
    await other.close()
    await journal.close()


async def test_a_journal_that_rests_finds_out_that_its_file_was_damaged(tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    await journal.release(await begin(journal))
    assert journal.rest()
    (tmp_path / "journal.db").write_bytes(b"")
    with pytest.raises(JournalCorrupt, match="empty"):
        await journal.acquire("r")
    await journal.close()
