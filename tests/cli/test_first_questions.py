"""What people ask of the command line first: what was said, who waits for what, how long it took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outlast import Agent, RunConfig, Runner, SQLiteSession, ToolContext, function_tool
from outlast.cli.app import app
from outlast.journal import close_journals
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.views.words import command_line


@function_tool
def refund(order: str) -> str:
    return f"refunded {order}"


@function_tool(needs_approval=True)
def wipe(disk: int) -> str:
    return f"wiped {disk}"


@function_tool
async def paint(ctx: ToolContext) -> str:
    return await ctx.ask("Which colour?", ["red", "blue"])


@pytest.fixture
def outlast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTLAST_JOURNAL", str(tmp_path / "journal.db"))
    monkeypatch.setenv("COLUMNS", "100")
    runner = CliRunner()
    yield lambda *words: runner.invoke(app, list(words))
    close_journals()


def ran(run_id: str, message: str, *steps: Any, **options: Any) -> None:
    agent = Agent(name="Desk", tools=[refund, wipe, paint], model=ScriptedModel(list(steps)))
    config = RunConfig(tracing_disabled=True, durability="process")
    Runner.run_sync(agent, message, run_id=run_id, run_config=config, **options)


def asks(run_id: str) -> None:
    calls = [function_call("wipe", {"disk": n}, call_id=f"w{n}") for n in (1, 2)]
    ran(run_id, "Paint it.", [*calls, function_call("paint", {}, call_id="q")])


def chat() -> None:
    session = SQLiteSession("ada", "chats.db")
    ran("one", "I am Ada.", [assistant_message("Hello Ada.\nHow are you?")], session=session)
    call = function_call("refund", {"order": "A-1"}, call_id="c")
    done = [assistant_message("It is refunded.")]
    ran("two", "Refund A-1.", [call], done, session=session)
    ran("other", "Not hers.", [assistant_message("No.")])


def test_a_conversation_is_read_from_its_first_word_to_its_last(outlast: Any):
    chat()
    shown = outlast("show", "--session", "ada").output.splitlines()
    assert [line.split("  ")[0] for line in shown if line.startswith("──")] == ["── one", "── two"]
    assert [line for line in shown if not line.startswith("──")] == [
        "you: I am Ada.",
        "Desk: Hello Ada.",
        "  How are you?",
        "you: Refund A-1.",
        "  · refund order=A-1 → refunded A-1",
        "Desk: It is refunded.",
    ]
    facts = json.loads(outlast("show", "--session", "ada", "--json").output)
    assert [(each["run_id"], each["input"]) for each in facts] == [
        ("one", "I am Ada."),
        ("two", "Refund A-1."),
    ]
    last = outlast("show", "--session", "ada", "--limit", "1").output
    assert ("Refund" in last, "Hello" in last, "--limit 0" in last) == (True, False, True)


def test_no_conversation_says_where_it_looked_and_no_run_says_how_to_name_one(outlast: Any):
    assert "journal.db" in outlast("show", "--session", "bob").output.replace("\n", "")
    assert outlast("show").exit_code == 1
    assert "--session" in outlast("show").output
    assert outlast("show", "one", "--session", "ada").exit_code == 1


def test_a_yes_to_all_calls_leaves_questions_and_says_how_to_answer_them(outlast: Any):
    asks("r")
    done = outlast("approve", "r", "--all")
    assert done.exit_code == 0
    assert "approved w1@1, w2@1" in done.output
    assert "outlast answer r q@1 red" in done.output
    again = outlast("approve", "r", "--all")
    assert (again.exit_code, "waits for answers" in again.output) == (1, True)
    assert outlast("answer", "r", "q@1", "red").exit_code == 0


def test_an_answer_is_no_approval_and_a_question_is_shown(outlast: Any):
    asks("r")
    assert "asks: Which colour? (red, blue)" in outlast("show", "r").output
    outlast("answer", "r", "q@1", "blue", "--by", "ada")
    assert "answered by ada: blue" in outlast("show", "r").output


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/below"])
def test_a_folder_that_is_none_is_said_without_an_error_of_pythons(outlast: Any, place: str):
    chat()
    done = outlast("export", "one", "--pytest", "desk:agent", "--into", place)
    assert done.exit_code == 1
    assert "cannot be used" in done.output
    assert "Errno" not in done.output


@pytest.mark.parametrize(
    ("words", "options", "typed"),
    [
        (("r",), "", "outlast show r"),
        (("-r",), "", "outlast show -- -r"),
        (("-r",), "--usd 1", "outlast show --usd 1 -- -r"),
        (("a b", "it's"), "", """outlast show 'a b' 'it'"'"'s'"""),
    ],
)
def test_a_command_is_said_as_it_is_typed(words: Any, options: str, typed: str):
    assert command_line("show", *words, options=options) == typed
