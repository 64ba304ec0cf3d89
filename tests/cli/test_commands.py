"""The commands, as a user types them."""

import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from holdfast.cli.app import app

PROGRAM = """
from holdfast import Agent, function_tool

@function_tool
def find_order(order: int) -> str:
    "Find an order."
    return f"order {order} is on its way"

agent = Agent(name="Desk", model="offline", tools=[find_order])
"""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, list(words))


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def test_without_a_key_a_panel_says_how_to_go_on(cli, tmp_path):
    (tmp_path / "named.py").write_text("from holdfast import Agent\nagent = Agent(name='Bot')\n")
    result = cli("run", "named.py", "hello")
    assert result.exit_code == 2
    assert "OPENAI_API_KEY" in result.stderr
    assert "HOLDFAST_OFFLINE=1" in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 8
    assert "Traceback" not in result.output


def test_the_offline_switch_needs_no_key(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_OFFLINE", "1")
    (tmp_path / "named.py").write_text("from holdfast import Agent\nagent = Agent(name='Bot')\n")
    assert cli("run", "named.py", "hello").exit_code == 0


def test_a_run_is_shown_live_listed_and_shown_again(cli, program):
    ran = cli("run", str(program), "find order 17", "--id", "order-17")
    assert ran.exit_code == 0, ran.output
    assert "find_order(order=17)" in ran.stdout
    assert "holdfast show order-17" in ran.stdout
    assert "order-17" in cli("runs").stdout
    shown = cli("show", "order").stdout
    assert "completed" in shown
    assert "find_order" in shown
    assert "order 17 is on its way" in shown


def test_a_finished_run_is_not_performed_again(cli, program):
    first = cli("run", str(program), "find order 17", "--id", "order-17")
    again = cli("run", str(program), "find order 17", "--id", "order-17")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "find_order(" not in again.stdout


@pytest.mark.parametrize("command", ["show", "resume"])
def test_an_unknown_run_is_an_error_without_a_traceback(cli, command):
    result = cli(command, "nothing")
    assert result.exit_code == 2
    assert "There is no run 'nothing'" in result.stderr
    assert "Traceback" not in result.output


def test_resume_says_what_it_needs(cli):
    assert cli("resume").exit_code == 2
    nothing = cli("resume", "--all")
    assert (nothing.exit_code, "Nothing to resume" in nothing.stdout) == (0, True)


def test_a_run_remembers_the_program_that_it_was_started_from(cli, program):
    cli("run", str(program), "find order 17", "--id", "order-17")
    assert cli("resume", "order-17").exit_code == 0


def test_an_empty_list_says_how_to_begin(cli):
    result = cli("runs")
    assert (result.exit_code, "holdfast demo" in result.stdout) == (0, True)


def test_the_doctor_finds_a_healthy_journal(cli, program):
    cli("run", str(program), "hello")
    result = cli("doctor")
    assert result.exit_code == 0, result.output
    for words in ("python", "holdfast", "0600", "quick check passed", "no OPENAI_API_KEY"):
        assert words in result.stdout


def test_the_doctor_names_a_damaged_journal(cli, holdfast_home):
    holdfast_home.mkdir()
    (holdfast_home / "journal.db").write_bytes(b"no database at all" * 100)
    result = cli("doctor")
    assert result.exit_code == 1
    assert "integrity" in result.stdout


def test_the_doctor_names_a_place_where_no_folder_can_be(cli, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "file" / "home"))
    result = cli("doctor")
    assert (result.exit_code, "no folder" in result.stdout) == (1, True)


def test_what_a_tool_returned_cannot_drive_the_terminal(cli, tmp_path):
    (tmp_path / "evil.py").write_text(PROGRAM.replace("is on its way", "\\x1b[2J\\u202e"))
    cli("run", "evil.py", "find order 17", "--id", "evil")
    shown = cli("show", "evil").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2J" in shown


MORTAL = """
import os, signal
from pathlib import Path
from holdfast import Agent, function_tool

@function_tool
def find_order(order: int) -> str:
    "Find an order."
    seen = Path("seen")
    if not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "found"

agent = Agent(name="Desk", model="offline", tools=[find_order])
"""


def test_an_interrupted_run_is_listed_and_resumed(cli, tmp_path):
    (tmp_path / "mortal.py").write_text(MORTAL)
    command = [sys.executable, "-c", "from holdfast.cli import main; main()"]
    words = ["run", "mortal.py", "find order 17", "--id", "mortal"]
    first = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, check=False)
    assert first.returncode == -signal.SIGKILL
    assert "interrupted" in cli("runs").stdout
    assert "holdfast resume --all" in cli("doctor").stdout
    resumed = cli("resume", "--all", "--agent", "mortal.py")
    assert resumed.exit_code == 0, resumed.output
    assert "found" in resumed.stdout
    shown = cli("show", "mortal").stdout
    assert "1 step reused, 1 in doubt retried with the same key" in shown
    assert "Nothing to resume" in cli("resume", "--all").stdout


def test_a_program_that_fails_is_a_panel_and_not_a_traceback(cli, tmp_path):
    (tmp_path / "limit.py").write_text(
        PROGRAM.replace("agent = Agent(", "agent = Agent(input_guardrails=[no], ").replace(
            "@function_tool", GUARDRAIL, 1
        )
    )
    result = cli("run", "limit.py", "find order 17")
    assert result.exit_code == 1
    assert "InputGuardrailTripwireTriggered" in result.stderr
    assert "Traceback" not in result.output


GUARDRAIL = """
from holdfast import GuardrailFunctionOutput, input_guardrail

@input_guardrail
def no(ctx, agent, message):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

@function_tool"""
