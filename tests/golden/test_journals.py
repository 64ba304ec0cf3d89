"""Journals of earlier layouts are opened, and their runs go on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from write_journal import DONE, call, desk

from outlast import RunConfig, Runner
from outlast.core.errors import MaxTurnsExceeded
from outlast.core.identity import RunMetadata
from outlast.journal import SqliteJournal
from outlast.journal.database import LAYOUT

FOLDER = Path(__file__).parent / "journals"
STATUSES = {
    "completed": "completed",
    "parent": "completed",
    "parent/t1.call-ask_clerk": "completed",
    "waiting": "waiting",
    "failed": "failed",
    "interrupted": "running",
}


@pytest.fixture(params=sorted(FOLDER.glob("*.db")), ids=lambda file: file.stem)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copy(request.param, tmp_path / "journal.db"))


@pytest.fixture
def config(path: Path) -> Iterator[RunConfig]:
    journal = SqliteJournal(path)
    yield RunConfig(journal=journal)
    journal.shut()


def test_it_becomes_one_of_this_layout(path: Path):
    for _ in range(2):
        SqliteJournal(path).shut()
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (LAYOUT,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_its_runs_are_listed_and_found(config: RunConfig):
    journal: Any = config.journal
    runs = await journal.runs()
    assert {run.run_id: run.status for run in runs} == STATUSES
    assert not any(run.owner_alive for run in runs)
    whose = RunMetadata(user="ada", tenant="acme", session_id="s1", tags=("vip",))
    for by in ({"user": "ada"}, {"tenant": "acme"}, {"session_id": "s1"}, {"tag": "vip"}):
        found = await journal.runs(**by)
        assert [(run.run_id, run.metadata) for run in found] == [("completed", whose)]


async def test_its_interrupted_run_goes_on(config: RunConfig):
    result = await Runner.resume("interrupted", desk(DONE), run_config=config)
    assert result.final_output == "done"
    assert "A shipped" in str(result.to_input_list())


async def test_its_waiting_run_is_decided_and_goes_on(config: RunConfig):
    await Runner.approve("waiting", "call-refund", by="ada", run_config=config)
    result = await Runner.resume("waiting", desk(DONE), run_config=config)
    assert "A refunded" in str(result.to_input_list())


async def test_its_ended_runs_say_what_they_came_to(config: RunConfig):
    result = await Runner.resume("completed", desk(), run_config=config)
    assert result.final_output == "done"
    with pytest.raises(MaxTurnsExceeded):
        await Runner.resume("failed", desk(call("look", order="A")), max_turns=1, run_config=config)


async def test_its_runs_can_be_deleted(config: RunConfig):
    journal: Any = config.journal
    pruned = await journal.prune(older_than_s=-1, statuses=["completed", "failed"])
    assert (pruned.run_ids, pruned.children) == (("completed", "parent", "failed"), 1)
    assert {run.run_id for run in await journal.runs()} == {"waiting", "interrupted"}
