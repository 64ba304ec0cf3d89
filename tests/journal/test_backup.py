"""A backup made while runs go on is whole, and is restored to where there is nothing."""

from __future__ import annotations

import asyncio
import tarfile
from pathlib import Path

import pytest

from outlast import Agent, RunConfig, Runner, SQLiteSession
from outlast.core.errors import JournalUnavailable, UserError
from outlast.core.evolve import fold
from outlast.journal import open_journal
from outlast.journal.backup import back_up, restore
from outlast.testing import ScriptedModel, assistant_message

DESK = Agent(name="Desk", model="offline")


async def test_what_is_backed_up_while_runs_go_on_can_be_read_and_gone_on_with(tmp_path: Path):
    file = tmp_path / "here" / "journal.db"
    file.parent.mkdir()
    config = RunConfig(journal=str(file))
    session = SQLiteSession("s", file.with_name("sessions.db"))
    await Runner.run(DESK, "first", run_id="first", session=session, run_config=config)

    async def runs() -> None:
        for number in range(40):
            await Runner.run(DESK, "again", run_id=f"r{number}", run_config=config)

    writing = asyncio.create_task(runs())
    archives = [tmp_path / f"{number}.tar.gz" for number in range(5)]
    for archive in archives:
        names = await asyncio.to_thread(back_up, file, archive)
        assert names == ["journal.db", "sessions.db"]
    await writing
    for number, archive in enumerate(archives):
        there = tmp_path / str(number) / "journal.db"
        restore(archive, there)
        journal = open_journal(str(there))
        for run in await journal.runs():
            log = [each.event for each in await journal.read(run.run_id)]
            assert len(log) == run.events
            if run.status == "running":
                again = RunConfig(journal=str(there))
                await Runner.run(DESK, "again", run_id=run.run_id, run_config=again)
            else:
                assert fold(log).output is not None
        assert "first" in {run.run_id for run in await journal.runs()}
        kept = SQLiteSession("s", there.with_name("sessions.db"))
        assert len(await kept.get_items()) == 2


async def test_what_is_there_is_never_replaced(tmp_path: Path):
    file = tmp_path / "journal.db"
    model = ScriptedModel([[assistant_message("ok")]])
    agent = Agent(name="Desk", model=model)
    await Runner.run(agent, "Hi", run_id="r", run_config=RunConfig(journal=str(file)))
    archive = tmp_path / "a.tar.gz"
    back_up(file, archive)
    with pytest.raises(UserError, match="already"):
        restore(archive, file)


def test_what_is_no_backup_is_refused_and_nothing_is_written(tmp_path: Path):
    with pytest.raises(UserError, match="nothing to back up"):
        back_up(tmp_path / "journal.db", tmp_path / "a.tar.gz")
    text, empty = tmp_path / "text", tmp_path / "empty.tar.gz"
    text.write_text("no archive")
    with tarfile.open(empty, "w:gz"):
        pass
    for wrong, error in (
        (text, UserError),
        (empty, UserError),
        (tmp_path / "none", JournalUnavailable),
    ):
        with pytest.raises(error, match=r"\.$"):
            restore(wrong, tmp_path / "there" / "journal.db")
        assert list((tmp_path / "there").glob("*.db")) == []
