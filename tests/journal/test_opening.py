"""Which journal a program gets."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract import begin

from outlast.core.errors import JournalCorrupt, JournalError, JournalUnavailable, StorageBusy
from outlast.journal import MemoryJournal, SqliteJournal, open_journal
from outlast.journal.opening import close_journals


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


def unwritable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``folder`` the working directory and refuse to make anything in it, to root as well."""
    monkeypatch.delenv("OUTLAST_HOME")
    monkeypatch.chdir(folder)
    make = Path.mkdir

    def refuse(path: Path, *args: Any, **options: Any) -> None:
        if path.is_relative_to(folder):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        make(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)


def test_where_nothing_was_and_nothing_can_be_it_is_memory_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    unwritable(tmp_path, monkeypatch)
    with pytest.warns(RuntimeWarning, match="in memory only and will not survive"):
        journal = open_journal()
    assert isinstance(journal, MemoryJournal)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_journal() is journal
        open_journal(durability="process")


def test_a_home_that_was_asked_for_is_not_replaced_by_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OUTLAST_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(JournalUnavailable, match="Not a directory"):
        open_journal()


def _damage(folder: Path) -> None:
    (folder / "journal.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def _empty(folder: Path) -> None:
    (folder / "journal.db").write_bytes(b"")


def _folder(folder: Path) -> None:
    (folder / "journal.db").unlink()
    (folder / "journal.db").mkdir()


def _link(folder: Path) -> None:
    (folder / "journal.db").rename(folder / "elsewhere.db")
    (folder / "journal.db").symlink_to("elsewhere.db")


def _lone_log(folder: Path) -> None:
    (folder / "journal.db").unlink()
    (folder / "journal.db-wal").write_bytes(b"x" * 100)


def _cut_mark(folder: Path) -> None:
    (folder / "journal.db-mark").write_bytes(b"x" * 7)


def _lock(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / "journal.db", isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    return db


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (_damage, JournalCorrupt),
        (_empty, JournalCorrupt),
        (_folder, JournalUnavailable),
        (_link, JournalUnavailable),
        (_lone_log, JournalCorrupt),
        (_cut_mark, JournalCorrupt),
        (_lock, StorageBusy),
    ],
)
def test_a_default_journal_that_was_there_is_never_replaced_by_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path], sqlite3.Connection | None],
    kind: type[JournalError],
):
    monkeypatch.delenv("OUTLAST_HOME")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("outlast.journal.database._OPEN_BUSY_MS", 100)
    closed(open_journal())
    held = harm(tmp_path / ".outlast")
    with pytest.raises(kind):
        open_journal()
    if held is not None:
        held.close()
        assert isinstance(open_journal(), SqliteJournal)


def test_the_place_is_settled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OUTLAST_HOME")
    monkeypatch.chdir(tmp_path)
    default, named = open_journal(), open_journal("here.db")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert open_journal() is default
    assert open_journal("here.db") is named
    (tmp_path / "deeper").rmdir()
    assert open_journal() is default
    assert open_journal("here.db") is named
    os.chdir(tmp_path)
    close_journals()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert closed(open_journal()) == tmp_path / "other" / ".outlast" / "journal.db"


async def test_what_a_run_does_to_the_environment_moves_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = open_journal()
    lease = await begin(journal)
    monkeypatch.setenv("OUTLAST_HOME", str(tmp_path / "by a tool"))
    await journal.release(lease)
    assert open_journal() is journal
    lease = await begin(journal, "other")
    monkeypatch.setenv("OUTLAST_JOURNAL", str(tmp_path / "nested.db"))
    assert open_journal() is journal  # As a run inside the tool asks.
    await journal.release(lease)
    assert open_journal() is journal
    monkeypatch.setenv("OUTLAST_JOURNAL", str(tmp_path / "between runs.db"))
    assert closed(open_journal()) == tmp_path / "between runs.db"


def test_a_folder_that_others_made_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OUTLAST_HOME")
    monkeypatch.chdir(tmp_path)
    folder, precious = tmp_path / ".outlast", tmp_path / "precious"
    precious.write_bytes(b"precious" * 10)
    for end in ("-mark", "-wal", "-shm", ""):
        close_journals()
        closed(open_journal())
        (folder / f"journal.db{end}").unlink(missing_ok=True)
        (folder / f"journal.db{end}").symlink_to(precious)
        with pytest.raises(JournalUnavailable, match="symbolic link"):
            open_journal()
        (folder / f"journal.db{end}").unlink()
        if end:
            os.link(precious, folder / f"journal.db{end}")
            with pytest.raises(JournalUnavailable, match="hard link"):
                open_journal()
            (folder / f"journal.db{end}").unlink()
    assert precious.read_bytes() == b"precious" * 10
    (folder / ".gitignore").unlink()
    (folder / ".gitignore").symlink_to(tmp_path / "made by a link")
    closed(open_journal())
    assert not (tmp_path / "made by a link").exists()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalUnavailable, match="symbolic link"):
        open_journal()


async def test_every_file_is_private_also_in_a_folder_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OUTLAST_HOME")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".outlast"
    closed(open_journal())
    for path in (folder, folder / "journal.db", folder / ".gitignore"):
        path.chmod(0o777 if path is folder else 0o666)
    journal = open_journal()
    await begin(journal)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes) == {
        ".gitignore",
        *(f"journal.db{end}" for end in ("", "-wal", "-shm", "-mark")),
    }
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    closed(journal)


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
