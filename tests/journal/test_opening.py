"""Which journal a program gets."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from contract import begin

from outlast.core.errors import JournalUnavailable
from outlast.journal import MemoryJournal, SqliteJournal, open_journal


def closed(journal: object) -> Path:
    assert isinstance(journal, SqliteJournal)
    journal.shut()
    return journal.path


def test_the_home_folder_is_private_and_ignores_itself(outlast_home: Path):
    path = closed(open_journal())
    assert path == outlast_home / "journal.db"
    assert (outlast_home / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(outlast_home.stat().st_mode) == 0o700


def test_without_a_home_it_is_right_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OUTLAST_HOME")
    monkeypatch.chdir(tmp_path)
    assert closed(open_journal()) == tmp_path / ".outlast" / "journal.db"
    assert (tmp_path / ".outlast" / ".gitignore").exists()


def test_the_environment_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OUTLAST_JOURNAL", str(tmp_path / "deep" / "here.db"))
    assert closed(open_journal()) == tmp_path / "deep" / "here.db"
    assert not (tmp_path / "deep" / ".gitignore").exists()


@pytest.mark.parametrize("kind", ["memory", "off"])
def test_the_environment_asks_for_memory(kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OUTLAST_JOURNAL", kind)
    assert isinstance(open_journal(), MemoryJournal)
    assert open_journal() is open_journal(kind)


def test_an_argument_outranks_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OUTLAST_JOURNAL", "off")
    assert closed(open_journal(tmp_path / "a.db")) == tmp_path / "a.db"
    assert isinstance(open_journal(durability="memory"), MemoryJournal)


def test_it_is_shared_while_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    first = open_journal("a.db")
    assert open_journal(tmp_path / "a.db") is first
    other = open_journal("a.db", "process")
    assert other is not first
    closed(first)
    again = open_journal("a.db")
    assert again is not first
    closed(other)
    closed(again)


async def test_a_deleted_file_is_not_written_to(tmp_path: Path):
    first = open_journal(tmp_path / "a.db")
    await begin(first)
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"a.db{end}").unlink()
    again = open_journal(tmp_path / "a.db")
    assert again is not first
    assert not await again.runs()
    await again.close()


def test_a_home_that_cannot_be_written_means_memory_and_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OUTLAST_HOME", str(tmp_path / "file" / "home"))
    with pytest.warns(RuntimeWarning, match="in memory only and will not survive"):
        journal = open_journal()
    assert isinstance(journal, MemoryJournal)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_journal() is journal


def test_a_file_that_was_asked_for_is_not_replaced_by_memory(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnavailable, match="OUTLAST_HOME"):
        open_journal(tmp_path / "file" / "a.db")


def test_what_a_program_left_open_is_whole_when_it_ends(tmp_path: Path):
    program = f"""
import asyncio
from outlast.core.events import RunStarted
from outlast.journal import open_journal

async def main():
    journal = open_journal({str(tmp_path / "a.db")!r})
    lease = await journal.acquire("r", new=True)
    await journal.append(lease, [RunStarted("a", [])], barrier=False)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert [file.name for file in tmp_path.glob("a.db*")] == ["a.db"]
    journal = open_journal(tmp_path / "a.db")
    (run,) = asyncio.run(journal.runs())
    assert (run.events, run.owner_alive) == (1, False)
    closed(journal)


async def test_a_path_is_a_file_also_where_its_name_is_a_word_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for word in ("off", "memory"):
        assert isinstance(open_journal(word), MemoryJournal)
        journal = open_journal(Path(word))
        assert isinstance(journal, SqliteJournal)
        await journal.close()
    assert (tmp_path / "off").exists()
