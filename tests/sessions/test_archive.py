"""Conversations as a whole: found by their words, moved as lines, mended, forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from outlast import SQLiteSession, UserError
from outlast.core.pairs import unanswered
from outlast.sessions.archive import SessionFile, exported, imported
from outlast.sessions.backends import AdvancedSQLiteSession
from outlast.sessions.mending import mend, problems_in

CALL = {
    "type": "function_call",
    "call_id": "c",
    "name": "refund",
    "arguments": '{"order":"A-1007"}',
}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "refunded 19.90"}
ITEMS: list[Any] = [
    {"role": "user", "content": "I want my money back for the cello."},
    CALL,
    OUTPUT,
    {
        "type": "message",
        "role": "assistant",
        "id": "msg_1",
        "content": [{"type": "output_text", "text": "Done: naïve 😀", "annotations": []}],
    },
]


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    path = tmp_path / "chats.db"
    for name, items in (("ada", ITEMS), ("bob", [{"role": "user", "content": "the cello, too"}])):
        session = SQLiteSession(name, path)
        await session.add_items(items)
        session.close()
    return path


async def test_words_are_found_in_messages_calls_and_results(file: Path):
    archive = SessionFile(file)
    found = archive.search("cello")
    assert {(each.session_id, each.number) for each in found} == {("ada", 1), ("bob", 1)}
    assert [(each.session_id, each.number) for each in archive.search("A-1007")] == [("ada", 2)]
    assert [each.number for each in archive.search("refunded 19.90")] == [3]
    assert [each.number for each in archive.search("NAIVE done")] == [4]
    assert [each.session_id for each in archive.search("cello", session_id="bob")] == ["bob"]
    assert archive.search("money cello nothing") == []
    assert archive.search('" OR NEAR( *') == []


async def test_what_was_taken_away_is_not_found_and_what_was_added_is(file: Path):
    archive = SessionFile(file)
    assert archive.search("naive")
    session = SQLiteSession("ada", file)
    await session.pop_item()
    await session.add_items([{"role": "user", "content": "violin"}])
    session.close()
    assert archive.search("naive") == []
    assert [each.number for each in archive.search("violin")] == [4]


async def test_a_conversation_is_listed_with_its_size(file: Path):
    assert {each.session_id: each.items for each in SessionFile(file).conversations()} == {
        "ada": 4,
        "bob": 1,
    }


def test_a_file_without_conversations_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="There is no file"):
        SessionFile(tmp_path / "none.db")
    (tmp_path / "other.db").touch()
    with pytest.raises(UserError, match="holds no conversations"):
        SessionFile(tmp_path / "other.db")


async def test_what_is_exported_is_imported_as_it_was(file: Path, tmp_path: Path):
    source = SQLiteSession("ada", file, session_settings={"limit": 1})
    lines = await exported(source)
    target = AdvancedSQLiteSession(session_id="new", db_path=tmp_path / "a.db", create_tables=True)
    assert await imported(target, [*lines, ""]) == 4
    assert await target.get_items() == ITEMS
    source.close()
    target.close()


async def test_a_line_that_is_no_item_adds_nothing():
    session = SQLiteSession("s")
    with pytest.raises(UserError, match="Line 2"):
        await imported(session, ['{"role":"user","content":"a"}', "[]"])
    assert await session.get_items() == []
    session.close()


async def test_what_is_forgotten_is_not_in_the_file_any_more(file: Path):
    archive = SessionFile(file)
    archive.search("money")
    assert archive.forget("ada") == 4
    held = b"".join(path.read_bytes() for path in _files(file))
    assert b"money" not in held
    assert b"A-1007" not in held
    assert [each.session_id for each in archive.conversations()] == ["bob"]
    assert archive.forget("ada") == 0


def _files(file: Path) -> list[Path]:
    return list(file.parent.glob(f"{file.name}*"))


# --- Mending. ----------------------------------------------------------------------------

THOUGHT = {"type": "reasoning", "id": "rs", "summary": []}


@pytest.mark.parametrize(
    ("items", "wrong"),
    [
        ([*ITEMS], []),
        ([ITEMS[0], CALL], [1]),
        ([ITEMS[0], OUTPUT], [1]),
        ([OUTPUT, CALL], [0, 1]),
        ([CALL, OUTPUT, OUTPUT], [2]),
        ([ITEMS[0], THOUGHT, CALL, OUTPUT], []),
        ([ITEMS[0], THOUGHT, OUTPUT], [1, 2]),
        ([THOUGHT, CALL], [0, 1]),
        ([THOUGHT, ITEMS[0]], [0]),
        ([THOUGHT, ITEMS[3]], []),
        ([ITEMS[3], THOUGHT], [1]),
        ([], []),
    ],
)
def test_what_a_provider_would_refuse_is_named(items: list[Any], wrong: list[int]):
    assert list(problems_in(items)) == wrong


WHOLE = [ITEMS[0], THOUGHT, CALL, OUTPUT, THOUGHT, ITEMS[3]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WHOLE), max_size=10))
def test_mended_once_nothing_is_wrong_any_more(items: list[Any]):
    wrong = problems_in(items)
    kept = [item for place, item in enumerate(items) if place not in wrong]
    assert problems_in(kept) == {}
    assert unanswered(kept) == set()


async def test_a_session_is_mended_in_one_step(file: Path):
    session = SQLiteSession("ada", file)
    await session.add_items([{**CALL, "call_id": "lost"}, {"role": "user", "content": "hello?"}])
    assert list((await mend(session)).values()) == ["the call 'lost' without its output"]
    assert await session.get_items() == [*ITEMS, {"role": "user", "content": "hello?"}]
    assert await mend(session) == {}
    session.close()


async def test_what_has_branches_is_mended_on_one_and_forgotten_with_all(tmp_path: Path):
    path = tmp_path / "a.db"
    session = AdvancedSQLiteSession(session_id="s", db_path=path, create_tables=True)
    await session.add_items([ITEMS[0], {"role": "user", "content": "more"}, CALL])
    await session.create_branch_from_turn(2, "other")
    await session.add_items([CALL])
    assert len(await mend(session)) == 1
    assert await session.get_items() == [ITEMS[0]]
    assert len(await session.get_items(branch_id="main")) == 3
    assert [turn["turn"] for turn in await session.get_conversation_turns("main")] == [1, 2]
    session.close()
    archive = SessionFile(path)
    assert archive.has_branches
    assert archive.forget("s") == 3
    again = AdvancedSQLiteSession(session_id="s", db_path=path, create_tables=True)
    await again.add_items(ITEMS)
    assert await again.get_items() == ITEMS
    again.close()
