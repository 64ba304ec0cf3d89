"""A conversation in SQLite: in order, all or none, whoever else has the file."""

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner
from outlast.journal import Durability
from outlast.sessions.session import Session, SessionSettings
from outlast.sessions.sqlite import SQLiteSession
from outlast.testing import ScriptedModel, assistant_message


def said(*texts: str) -> list[Any]:
    return [{"role": "user", "content": text} for text in texts]


def texts(items: list[Any]) -> list[str]:
    return [item["content"] for item in items]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


def spoil(path: Path, data: str, session_id: str = "s") -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            "INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)",
            (session_id, data),
        )
    other.close()


@pytest.mark.parametrize("where", ["memory", "file"])
async def test_items_come_back_as_they_were_in_their_order(where: str, path: Path):
    session = SQLiteSession("s", ":memory:" if where == "memory" else path)
    items = [*said('grüß\' "Gott"; DROP TABLE', ""), {"type": "new", "nested": {"a": [None]}}]
    await session.add_items(items[:2])
    await session.add_items(items[2:])
    await session.add_items([])
    assert await session.get_items() == items
    assert isinstance(session, Session)
    session.close()


async def test_what_was_added_is_there_for_the_next_process(path: Path):
    session = SQLiteSession("s", path)
    await session.add_items(said("hello"))
    session.close()
    again = SQLiteSession("s", path)
    assert texts(await again.get_items()) == ["hello"]
    again.close()


@pytest.mark.parametrize(
    ("limit", "kept"), [(None, "abc"), (2, "bc"), (9, "abc"), (0, ""), (-1, "abc")]
)
async def test_a_limit_keeps_the_newest(limit: int | None, kept: str):
    session = SQLiteSession("s")
    await session.add_items(said(*"abc"))
    assert texts(await session.get_items(limit)) == [*kept]
    session.close()


async def test_the_settings_of_a_session_limit_it_unless_told_otherwise():
    session = SQLiteSession("s", session_settings={"limit": 1})
    await session.add_items(said(*"abc"))
    assert texts(await session.get_items()) == ["c"]
    assert texts(await session.get_items(2)) == ["b", "c"]
    session.session_settings = None
    assert texts(await session.get_items()) == ["a", "b", "c"]
    session.close()


@pytest.mark.parametrize("data", ["{{{", "[1]", '"text"'])
async def test_a_row_that_is_no_item_is_passed_over(path: Path, data: str):
    session = SQLiteSession("s", path)
    await session.add_items(said("a", "b"))
    spoil(path, data)
    assert texts(await session.get_items(2)) == ["a", "b"]
    assert texts([await session.pop_item()]) == ["b"]
    spoil(path, data)
    assert texts([await session.pop_item()]) == ["a"]
    spoil(path, data)
    assert await session.pop_item() is None
    session.close()


async def test_sessions_in_one_file_do_not_touch_each_other(path: Path):
    one, two = SQLiteSession("one", path), SQLiteSession("two", path)
    await one.add_items(said("a"))
    await two.add_items(said("b"))
    await one.clear_session()
    assert await one.get_items() == []
    assert await one.pop_item() is None
    assert texts(await two.get_items()) == ["b"]
    one.close()
    two.close()


async def test_an_item_that_cannot_be_kept_leaves_none_of_its_siblings(path: Path):
    session = SQLiteSession("s", path)
    with pytest.raises(TypeError):
        await session.add_items([*said("a"), {"content": object()}])  # type: ignore[list-item]
    assert await session.get_items() == []
    session.close()


@pytest.mark.parametrize("table", ["agent_sessions", "agent_messages"])
async def test_a_failure_in_the_middle_undoes_the_beginning(path: Path, table: str):
    session = SQLiteSession("s", path)
    await session.add_items(said("a"))
    other = sqlite3.connect(path)
    other.execute(f"DROP TABLE {table}")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await session.clear_session()
    other.execute("PRAGMA busy_timeout = 0")
    other.execute("CREATE TABLE a_writer_can_go_on (x)")
    other.close()
    session.close()


async def test_a_closed_session_says_so():
    session = SQLiteSession("s")
    session.close()
    session.close()
    for call in (
        session.get_items(),
        session.add_items([]),
        session.pop_item(),
        session.clear_session(),
    ):
        with pytest.raises(RuntimeError, match="SQLiteSession is closed"):
            await call


async def test_tables_may_have_any_name(path: Path):
    session = SQLiteSession("s", path, 'my "sessions"', "my messages")
    await session.add_items(said("a"))
    assert texts(await session.get_items()) == ["a"]
    session.close()


async def test_a_busy_file_is_waited_for_without_blocking_the_loop(path: Path):
    session = SQLiteSession("s", path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    adding = asyncio.create_task(session.add_items(said("late")))
    ticks = 0
    while ticks < 5:
        await asyncio.sleep(0.01)
        ticks += 1
    assert not adding.done()
    other.execute("COMMIT")
    await adding
    assert texts(await session.get_items()) == ["late"]
    other.close()
    session.close()


async def test_a_call_that_waits_ends_before_its_cancellation_is_seen(path: Path):
    session = SQLiteSession("s", path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    adding = asyncio.create_task(session.add_items(said("once")))
    await asyncio.sleep(0.01)
    adding.cancel()
    await asyncio.sleep(0.01)
    adding.cancel()
    other.execute("COMMIT")
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert texts(await session.get_items()) == ["once"]
    other.close()
    session.close()


def test_threads_may_share_a_session(path: Path):
    session = SQLiteSession("s", path)

    def add(name: str) -> None:
        for number in range(20):
            asyncio.run(session.add_items(said(f"{name}{number}")))

    threads = [threading.Thread(target=add, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = texts(asyncio.run(session.get_items()))
    assert [text for text in found if text[0] == "a"] == [f"a{number}" for number in range(20)]
    assert len(found) == 40
    session.close()


def test_processes_may_open_a_new_file_at_once(path: Path):
    code = """
import asyncio, sys
from outlast.sessions.sqlite import SQLiteSession
from outlast.testing import ScriptedModel, assistant_message
session = SQLiteSession("s", sys.argv[1])
for number in range(20):
    asyncio.run(session.add_items([{"content": sys.argv[2]}]))
session.close()
"""
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], stderr=subprocess.PIPE)
        for name in "abc"
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert errors == [b"", b"", b""]
    with closing(sqlite3.connect(path)) as reader, reader:
        rows = reader.execute("SELECT message_data FROM agent_messages").fetchall()
    reader.close()
    assert sorted(json.loads(data)["content"] for (data,) in rows) == [
        *"a" * 20,
        *"b" * 20,
        *"c" * 20,
    ]


def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path):
    with pytest.raises(sqlite3.OperationalError):
        SQLiteSession("s", tmp_path / "missing" / "file.db")


def test_settings_default_to_no_limit():
    session = SQLiteSession("s")
    assert session.session_settings == SessionSettings(limit=None)
    session.close()


@pytest.mark.parametrize(("durability", "level"), [("power", 2), ("process", 1), ("memory", 1)])
async def test_what_a_run_saves_is_as_safe_as_its_log(
    path: Path, tmp_path: Path, durability: Durability, level: int
):
    """SQLite says 2 where each commit waits for the disk, and 1 where it does not."""
    session = SQLiteSession("s", path)
    agent = Agent(name="desk", model=ScriptedModel([[assistant_message("hello")]]))
    config = RunConfig(journal=str(tmp_path / "runs.db"), durability=durability)
    await Runner.run(agent, "hi", session=session, run_config=config)
    levels = await session._run(lambda db: db.execute("PRAGMA synchronous").fetchone())
    assert levels == (level,)
    session.close()


def test_a_file_that_it_makes_is_private(path: Path):
    SQLiteSession("s", path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
