"""Lists that begin alike are stored once, and nobody who reads a log can tell."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from outlast import Agent, RunConfig, Runner, SQLiteSession
from outlast.core.errors import JournalCorrupt
from outlast.core.events import Event, HandedOff, History, RunCompleted, RunStarted, SessionLoaded
from outlast.journal import SqliteJournal
from outlast.journal.codec import decode, encode, seal
from outlast.testing import ScriptedModel, assistant_message

sizes = st.integers(0, 1200) | st.sampled_from([7, 8, 9, 63, 64, 65, 72, 511, 512, 513, 584])


def items(count: int, *, long: int = 0) -> list[dict[str, Any]]:
    return [{"role": "user", "content": f"{n} é " + "x" * long} for n in range(count)]


def written(event: Event) -> tuple[Event, bytes, dict[str, bytes]]:
    draft = encode([event], packs=True)
    parts = dict(draft.parts)
    row = seal(draft, "r", 0, 1, 1)
    (stored,) = decode("r", [row], load=parts.__getitem__)
    return stored.event, draft.body, parts


@settings(max_examples=30, deadline=None)
@given(sizes, st.sampled_from([0, 300]))
def test_what_is_read_is_what_was_written(count: int, long: int):
    head = items(count, long=long)
    events: list[Event] = [
        RunStarted("desk", head),
        SessionLoaded("s0", head, head[-3:], count, ("a", "b")),
        HandedOff("h1.c", "c", "desk", "clerk", {}, History(head, ())),
    ]
    for event in events:
        again, body, parts = written(event)
        assert again == event
        assert b"packed" not in body or parts
        assert len(body) < 4000 + 200 * (count // 8)


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(1, 30))
def test_a_list_that_grows_shares_all_but_its_end(count: int, more: int):
    before = written(RunStarted("desk", items(count)))[2]
    after = written(RunStarted("desk", items(count + more)))[2]
    new = sum(len(body) for name, body in after.items() if name not in before)
    assert new <= len(str(items(min(count + more, 512 + 64 + more)))) + 200


def test_a_picture_is_stored_once():
    picture = [{"role": "user", "content": [{"type": "input_image", "image_url": "x" * 100_000}]}]
    stored: dict[str, bytes] = {}
    for n in range(8):
        _, body, parts = written(SessionLoaded("s0", [*picture, *items(n)], picture))
        assert len(body) < 3000
        stored |= parts
    assert sum(map(len, stored.values())) < 110_000


def test_what_cannot_be_packed_is_stored_whole_or_refused_as_ever():
    half = [{"role": "user", "content": f"\ud83d {n}"} for n in range(9)]
    again, body, _ = written(RunStarted("desk", half))
    assert isinstance(again, RunStarted)
    assert len(again.input) == 9
    assert b"packed" not in body


def test_a_row_of_this_version_is_read_for_ever():
    part = b'items[{"role":"user","content":"one"}]'
    body = (
        b'[{"type":"packed","lists":[[["input"],["ab"]]],"event":{"type":"run.started",'
        b'"agent":"desk","input":[{"role":"user","content":"two"}]}}]'
    )
    draft = encode([RunCompleted()])
    draft = type(draft)(body, 1, __import__("zlib").crc32(body), "", None)
    (stored,) = decode("r", [seal(draft, "r", 0, 1, 1)], load={"ab": part}.__getitem__)
    assert stored.event == RunStarted(
        "desk", [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    )


def bytes_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        (log,) = db.execute("SELECT sum(length(body)) FROM log").fetchone()
        (parts,) = db.execute("SELECT sum(length(body)) FROM blob").fetchone()
    return log + parts


async def chat(path: Path, turns: int, how: str) -> None:
    session = SQLiteSession("ada", path.with_suffix(".talks"))
    config = RunConfig(journal=str(path), durability="process")
    asked: list[Any] = []
    for n in range(turns):
        agent = Agent(name="desk", model=ScriptedModel([[assistant_message(f"answer {n}")]]))
        if how == "session":
            await Runner.run(agent, f"question {n}", session=session, run_config=config)
            continue
        asked.append({"role": "user", "content": f"question {n}"})
        asked = (await Runner.run(agent, asked, run_config=config)).to_input_list()


@pytest.mark.parametrize("how", ["session", "list"])
async def test_a_chat_of_twice_as_many_turns_takes_about_twice_as_much(tmp_path: Path, how: str):
    sizes: list[int] = []
    for turns in (20, 40):
        path = tmp_path / f"{turns}.db"
        await chat(path, turns, how)
        sizes.append(bytes_of(path))
    assert sizes[1] < 2.4 * sizes[0]


async def test_deleting_a_run_deletes_its_part_of_the_conversation_at_once(tmp_path: Path):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    for run_id, count in (("one", 70), ("two", 66)):
        lease = await journal.acquire(run_id, new=True)
        await journal.append(lease, [RunStarted("desk", items(count, long=200)), RunCompleted()])
        await journal.release(lease)
    with closing(sqlite3.connect(path)) as db:
        before = db.execute("SELECT count(*) FROM blob").fetchone()[0]
        await journal.delete("one")
        assert 1 <= db.execute("SELECT count(*) FROM blob").fetchone()[0] < before
        (stored, _) = await journal.read("two")
        assert stored.event == RunStarted("desk", items(66, long=200))
        await journal.delete("two")
        assert db.execute("SELECT count(*) FROM blob").fetchone() == (0,)
    await journal.close()


async def test_a_part_that_is_gone_or_changed_is_an_error(tmp_path: Path):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    lease = await journal.acquire("r", new=True)
    await journal.append(lease, [RunStarted("desk", items(20))])
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE blob SET body = cast('items[]' AS BLOB)")
        db.commit()
        with pytest.raises(JournalCorrupt, match="has changed"):
            await journal.read("r")
        db.execute("DELETE FROM blob")
        db.commit()
    with pytest.raises(JournalCorrupt, match="has no blob"):
        await journal.read("r")
    await journal.close()
