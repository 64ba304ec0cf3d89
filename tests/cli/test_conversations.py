"""`outlast sessions`, `outlast forget` and `outlast doctor --sessions`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outlast import Agent, Budget, RunConfig, Runner, SQLiteSession
from outlast.cli.app import app
from outlast.extras.memory import Memory


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTLAST_JOURNAL", str(tmp_path / "journal.db"))
    for name, user, said in (("s1", "ada", "the xyzzy cello"), ("s2", "bob", "a violin")):
        session = SQLiteSession(name, tmp_path / "chats.db")
        config = RunConfig(metadata={"user": user}, journal=str(tmp_path / "journal.db"))
        agent = Agent(name="Clerk", model="offline", instructions=lambda c, a: "be brief")
        asyncio.run(Runner.run(agent, said, session=session, run_config=config))
        session.close()
    memory = Memory(tmp_path / "memory.db")
    asyncio.run(memory.remember("plays the xyzzy", user="ada"))
    memory.close()
    return tmp_path


def said(*args: str, status: int = 0) -> Any:
    done = CliRunner().invoke(app, list(args))
    assert done.exit_code == status, done.output
    return done.output


def bytes_in(place: Path) -> bytes:
    return b"".join(path.read_bytes() for path in place.glob("*.db*"))


def test_conversations_are_listed_and_searched(place: Path):
    rows = json.loads(said("sessions", "chats.db", "--json"))
    assert {row["session_id"]: row["items"] for row in rows} == {"s1": 2, "s2": 2}
    found = json.loads(said("sessions", "chats.db", "--search", "xyzzy", "--json"))
    assert {row["session_id"] for row in found} == {"s1"}
    assert "s1 #1" in said("sessions", "chats.db", "--search", "xyzzy")
    assert "Nothing" in said("sessions", "chats.db", "--search", "xyzzy", "--session", "s2")


def test_a_conversation_is_moved_to_another_file(place: Path):
    lines = said("sessions", "chats.db", "--session", "s1", "--export")
    (place / "s1.jsonl").write_text(lines)
    assert "Added 2" in said("sessions", "new.db", "--session", "s3", "--import", "s1.jsonl")
    assert said("sessions", "new.db", "--session", "s3", "--export") == lines


def test_a_conversation_is_forgotten_everywhere(place: Path):
    would = said("forget", "--session", "s1", "--in", "chats.db", "--dry-run")
    assert "Would delete 1 runs, 2 items" in would
    said("forget", "--session", "s1", "--in", "chats.db", "--user", "ada", "--memory", "memory.db")
    assert b"xyzzy" not in bytes_in(place)
    assert b"violin" in bytes_in(place)
    assert len(json.loads(said("runs", "--json"))) == 1


def test_a_user_is_forgotten(place: Path):
    gone = json.loads(said("forget", "--user", "ada", "--memory", "memory.db", "--json"))
    assert (len(gone["runs"]), gone["facts"]) == (1, 1)
    again = json.loads(said("forget", "--user", "ada", "--memory", "memory.db", "--json"))
    assert (gone["held"], again["runs"], again["facts"]) == ([], [], 0)


def test_a_user_s_own_conversations_go_too_and_what_others_share_stays(place: Path):
    journal = str(place / "journal.db")
    budget = Budget(requests=9, per="user", window="day")
    for name, user in (("s2", "ada"), ("s3", "adalbert")):
        session = SQLiteSession(name, place / "chats.db")
        config = RunConfig(metadata={"user": user}, journal=journal, budgets=budget)
        agent = Agent(name="Clerk", model="offline")
        asyncio.run(Runner.run(agent, "hello", session=session, run_config=config))
        session.close()
    would = json.loads(said("forget", "--user", "ada", "--in", "chats.db", "--dry-run", "--json"))
    assert "others have them too: s2" in said("forget", "--user", "ada", "--dry-run")
    gone = json.loads(said("forget", "--user", "ada", "--in", "chats.db", "--json"))
    assert gone == would
    assert (gone["items"], gone["sessions"], gone["shared"]) == (2, ["s1"], ["s2"])
    kept = [row["session_id"] for row in json.loads(said("sessions", "chats.db", "--json"))]
    assert sorted(kept) == ["s2", "s3"]
    held = bytes_in(place)
    assert b"user:adalbert\n" in held
    assert b"user:ada\n" not in held


def test_forgetting_needs_to_know_whom(place: Path):
    assert "Whom" in said("forget", status=2)


def test_a_broken_conversation_is_reported_and_mended(place: Path):
    session = SQLiteSession("s1", place / "chats.db")
    lost = {"type": "function_call_output", "call_id": "c", "output": "lost"}
    asyncio.run(session.add_items([lost]))
    checks = json.loads(said("doctor", "--sessions", "chats.db", "--json"))
    assert [each["verdict"] for each in checks if each["name"] == "session"] == ["note"]
    assert lost in asyncio.run(session.get_items())
    said("doctor", "--sessions", "chats.db", "--mend")
    assert lost not in asyncio.run(session.get_items())
    checks = json.loads(said("doctor", "--sessions", "chats.db", "--json"))
    assert [each["verdict"] for each in checks if each["name"] == "sessions"] == ["good"]
    session.close()


def test_a_text_with_other_line_separators_is_moved(place: Path):
    session = SQLiteSession("s4", place / "chats.db")
    text = "a\u2028b\u2029c\x85d"
    asyncio.run(session.add_items([{"role": "user", "content": text}]))
    session.close()
    lines = said("sessions", "chats.db", "--session", "s4", "--export")
    (place / "s4.jsonl").write_text(lines, "utf-8")
    assert "Added 1" in said("sessions", "new.db", "--session", "s4", "--import", "s4.jsonl")
    assert json.loads(said("sessions", "new.db", "--session", "s4", "--export"))["content"] == text


def test_a_word_that_is_no_text_is_wrong_usage(place: Path):
    assert "no UTF-8" in said("runs", "--user", "\udcff", status=2)


@pytest.mark.parametrize("more", [(), ("--export",), ("--search", "cello")])
def test_a_conversation_that_there_is_not_is_an_error(place: Path, more: tuple[str, ...]):
    text = said("sessions", "chats.db", "--session", "s3", *more, status=2)
    assert "There is no conversation 's3'" in text


def test_conversations_that_were_served_are_found_beside_the_journal(place: Path):
    text = " ".join(said("sessions", "journal.db", status=1).replace("│", " ").split())
    assert "sessions.db" not in text
    (place / "chats.db").rename(place / "sessions.db")
    text = " ".join(said("sessions", "journal.db", status=1).replace("│", " ").split())
    assert "Conversations that were served are in 'sessions.db'" in text
    assert "s1" in said("sessions")


def test_conversations_of_a_server_say_where_they_are(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OUTLAST_JOURNAL", "http://127.0.0.1:9")
    assert "/api/v1/sessions" in said("sessions", status=2)
