"""`outlast chat`, as somebody at a terminal sees it."""

import json
import os
import subprocess
import sys

import pytest
from terminal import Terminal

DESK = '''
import asyncio
from pathlib import Path
from agents import Agent, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call

@function_tool
def lookup(order: str) -> str:
    """Look an order up."""
    with open("calls.txt", "a") as file:
        file.write("lookup\\n")
    return f"{order}: a copper kettle"

@function_tool(needs_approval=True)
def refund(order: str) -> str:
    """Refund an order."""
    return f"{order}: refunded"

@function_tool
async def wait() -> str:
    """Wait for ever."""
    await asyncio.Event().wait()

LONG = "I am sorry. " + "The money will be on your card within five working days. " * 4
model = ScriptedModel(STEPS)
refunds = Agent(name="Refunds", tools=[refund, wait, lookup], model=model)
triage = Agent(name="Triage", tools=[lookup], handoffs=[refunds], model=model)
'''


@pytest.fixture
def chat(tmp_path):
    open_terminals = []

    def start(*steps: str, agent: str = "triage") -> Terminal:
        text = DESK.replace("STEPS", f"[{', '.join(steps)}]")
        (tmp_path / "desk.py").write_text(text)
        terminal = Terminal("chat", f"desk.py:{agent}", cwd=tmp_path)
        open_terminals.append(terminal)
        terminal.shows("\n> ")
        return terminal

    yield start
    for each in open_terminals:
        each.close()


def call(name: str, arguments: str = "{}") -> str:
    return f'[function_call("{name}", {arguments}, call_id="{name}-1")]'


def says(text: str) -> str:
    return f'[assistant_message("{text}")]'


ORDER = '{"order": "A-1"}'


def test_a_conversation_shows_tools_handoffs_and_what_waits_and_fits_80_columns(chat):
    terminal = chat(
        call("lookup", ORDER), call("transfer_to_refunds"), call("refund", ORDER),
        "[assistant_message(LONG)]", says("Bye."),
    )  # fmt: skip
    terminal.types("It broke.\n")
    asked = terminal.shows("tell the agent: ")
    assert "lookup(order=A-1)" in asked
    assert "= A-1: a copper kettle" in asked
    assert "hands over to Refunds" in asked
    assert 'order: "A-1"' in asked
    terminal.types("yes\n")
    shown = terminal.shows("\n> ")
    assert "= A-1: refunded" in shown
    assert " ".join(shown.split()).count("working days") == 4
    assert max(map(len, shown.splitlines())) <= 80
    terminal.types("Thanks.\n")
    assert "Refunds" in terminal.shows("Bye.")
    terminal.shows("\n> ")
    terminal.types("\x04")
    assert terminal.ends() == 0


@pytest.mark.parametrize(
    ("answer", "told"), [("no", "not approved"), ("Ask my boss.", "Ask my boss.")]
)
def test_what_is_said_instead_of_yes_is_told_to_the_agent(chat, answer, told):
    terminal = chat(call("refund", ORDER), says("Well."), agent="refunds")
    terminal.types("Refund it.\n")
    terminal.shows("tell the agent: ")
    terminal.types(f"{answer}\n")
    shown = terminal.shows("Well.")
    assert told in shown
    assert "refunded" not in shown


def test_ctrl_c_stops_the_answer_and_not_the_conversation(chat):
    terminal = chat(call("wait"), says("Still here."), agent="refunds")
    terminal.types("Wait.\n")
    terminal.shows("wait()")
    assert "stopped" in terminal.interrupts("\n> ")
    terminal.types("Hello?\n")
    terminal.shows("Still here.")


def test_ctrl_c_at_a_question_ends_the_run_that_asks(chat, tmp_path):
    terminal = chat(call("refund", ORDER), says("Hello."), agent="refunds")
    terminal.types("Refund it.\n")
    terminal.shows("tell the agent: ")
    assert "stopped" in terminal.interrupts("\n> ")
    listed = subprocess.run(
        [sys.executable, "-m", "outlast", "runs", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "OUTLAST_HOME": str(tmp_path / ".outlast")},
    )  # fmt: skip
    assert [each["status"] for each in json.loads(listed.stdout)] == ["cancelled"]
    terminal.types("Hi.\n")
    terminal.shows("Hello.")


def test_ctrl_c_at_the_prompt_drops_the_line(chat):
    terminal = chat(says("Once."))
    terminal.types("never mind")
    terminal.shows("never mind")
    terminal.interrupts("\n> ")
    terminal.types("Hi.\n")
    terminal.shows("Once.")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("one \\\ntwo\n", "one \ntwo"),
        ('"""\none\n\n/two\n"""\n', "one\n\n/two"),
    ],
)
def test_a_message_may_have_several_lines(chat, tmp_path, typed, said):
    terminal = chat(says("I see."))
    terminal.types(typed)
    terminal.shows("I see.")
    terminal.shows("\n> ")
    terminal.types("/run\n")
    run_id = terminal.shows("outlast show ").rpartition("run ")[2].split()[0]
    shown = subprocess.run(
        [sys.executable, "-m", "outlast", "show", run_id, "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "OUTLAST_HOME": str(tmp_path / ".outlast")},
    )  # fmt: skip
    assert repr(said)[1:-1].replace("'", "") in shown.stdout, shown


def test_retry_asks_again_without_the_first_answer(chat):
    terminal = chat(says("First."), says("Second."))
    terminal.types("Hi.\n")
    terminal.shows("First.")
    terminal.shows("\n> ")
    terminal.types("/retry\n")
    terminal.shows("Second.")
    terminal.shows("\n> ")
    terminal.types("/run\n")
    assert "2 items" in terminal.shows("outlast show")


def test_retry_goes_on_with_a_run_that_failed_and_repeats_nothing(chat, tmp_path):
    terminal = chat(call("lookup", ORDER), 'ValueError("no answer")', says("Found."))
    terminal.types("Look.\n")
    assert "no answer" in terminal.shows("\n> ")
    terminal.types("/retry\n")
    terminal.shows("Found.")
    assert (tmp_path / "calls.txt").read_text() == "lookup\n"


def test_commands_say_what_they_do_and_what_there_is(chat):
    terminal = chat(says("Hi."))
    for typed, shown in {
        "/help": "/retry",
        "/nothing": "There is no /nothing",
        "/model": "of the agent",
        "/model offline": "model offline",
        "/model -": "of the agent",
        "/run": "Nothing was said yet.",
        "/retry": "Nothing was said yet.",
        "/new": "A new conversation.",
    }.items():
        terminal.types(f"{typed}\n")
        assert shown in terminal.shows("\n> ")
    terminal.types("/quit\n")
    assert terminal.ends() == 0


def test_input_from_a_pipe_is_a_conversation_too(chat, tmp_path):
    (tmp_path / "desk.py").write_text(DESK.replace("STEPS", f"[{says('One.')}, {says('Two.')}]"))
    done = subprocess.run(
        [sys.executable, "-m", "outlast", "chat", "desk.py:triage"],
        cwd=tmp_path, input="a\nb\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["Triage", "One.", "Triage", "Two."]
