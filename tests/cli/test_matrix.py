"""Every command with every option that lists share, and on every kind of terminal."""

import json
import os
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from outlast.cli.app import app

SHARED = {
    "--full": {"runs", "show", "approvals", "approve", "sessions"},
    "--json": {
        "keys",
        "run",
        "runs",
        "show",
        "resume",
        "retry",
        "approvals",
        "approve",
        "reject",
        "prune",
        "doctor",
        "replay",
        "diff",
        "stats",
        "costs",
        "sessions",
        "forget",
        "answer",
    },
    "--follow": {"show"},
    "--limit": {"runs", "approvals", "sessions", "show", "stats"},
    "--agent": {
        "fork",
        "runs",
        "approvals",
        "resume",
        "retry",
        "approve",
        "reject",
        "answer",
        "eval",
    },
    "--by": {"answer", "approve", "cancel", "costs", "pause", "reject", "send", "topup"},
    "--why": {"answer", "approve", "cancel", "pause", "reject", "topup"},
}
PROGRAM = r"""
from outlast import Agent, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

@function_tool(needs_approval=True)
def pay(to: str) -> str:
    "Pay."
    return "paid"

call = function_call("pay", {"to": "B\u202eob\x1b[2J" + "x" * 2000}, call_id="c1")
asks = Agent(name="Clerk\u2713\u00e9", tools=[pay], model=ScriptedModel([[call]]))
says = Agent(name="Desk", model=ScriptedModel([[assistant_message("fine\x1b[2J\u2713 " * 50)]]))
fails = Agent(name="Fails", model=ScriptedModel([ValueError("no\x1b[2J\x07\u2713")]))
"""
LISTS = [
    ("runs",),
    ("runs", "--full"),
    ("show", "ticket-12"),
    ("show", "ticket-12", "--full"),
    ("show", "said", "--full"),
    ("show", "failed"),
    ("show", "failed", "--follow"),
    ("approvals",),
    ("approvals", "--full"),
    ("approve", "ticket-12"),
    ("doctor",),
    ("retry", "failed"),
    ("resume", "said"),
    ("prune", "--older-than", "1d"),
    ("show", "nothing"),
    ("completion", "bash"),
]
JSON = [
    ("runs",),
    ("show", "ticket-12"),
    ("approvals",),
    ("approve",),
    ("doctor",),
    ("prune", "--older-than", "9d"),
]


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def four(cli):
    """Runs that wait, are completed and have failed."""
    for agent, run_id in (("asks", "ticket-12"), ("says", "said"), ("fails", "failed")):
        cli("run", f"program.py:{agent}", "hi", "--id", run_id)
    cli("run", "program.py:says", "hi")
    return cli


def test_options_are_where_they_belong_and_nowhere_else():
    commands = typer.main.get_command(app).commands
    for option, names in SHARED.items():
        having = {
            name for name, each in commands.items() if any(option in p.opts for p in each.params)
        }
        assert having == names, option


@pytest.mark.parametrize("words", JSON)
def test_json_is_json_whether_there_are_runs_or_none(cli, four, monkeypatch, tmp_path, words):
    filled = cli(*words, "--json")
    assert json.loads(filled.stdout) is not None
    assert filled.stdout.isascii()
    if words[0] != "show":
        monkeypatch.setenv("OUTLAST_HOME", str(tmp_path / "empty"))
        assert json.loads(cli(*words, "--json").stdout) is not None


@pytest.mark.parametrize("words", [("runs",), ("show", "ticket-12"), ("approvals",), ("approve",)])
def test_full_cuts_nothing(four, words):
    text = four(*words, "--full").stdout
    assert "…" not in text
    if words[0] in ("approvals", "approve"):
        assert text.count("x") >= 2000


def test_limits_and_agents_narrow_lists_and_unknown_ones_are_errors(four):
    assert len(json.loads(four("runs", "--limit", "2", "--json").stdout)) == 2
    assert len(json.loads(four("runs", "--limit", "0", "--json").stdout)) == 4
    assert len(json.loads(four("approvals", "--limit", "1", "--json").stdout)) == 1
    assert len(json.loads(four("approvals", "--agent", "Clerk✓é", "--json").stdout)) == 1
    for command in ("runs", "approvals"):
        done = four(command, "--agent", "Bogus")
        assert done.exit_code == 2
        assert "Clerk" in done.stderr
        assert four(command, "--limit", "-1").exit_code == 2


@pytest.mark.parametrize("columns", [40, 100])
@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_terminal_of_ascii_or_few_columns_is_enough_and_never_driven(
    four, monkeypatch, columns, words
):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    runner = CliRunner(charset="ascii")
    done = runner.invoke(app, list(words))
    assert done.exit_code in (0, 1, 2), done.exception
    shown = done.stdout_bytes + done.stderr_bytes
    assert shown.isascii()
    assert not set(shown) & {*range(32), 127} - {10}
    assert b"Traceback" not in shown


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_journal_that_cannot_be_read_is_said_once_in_a_panel(cli, monkeypatch, tmp_path, words):
    (tmp_path / "bad.db").write_bytes(b"garbage" * 999)
    monkeypatch.setenv("OUTLAST_JOURNAL", "bad.db")
    done = cli(*words)
    if words[0] == "completion":
        assert done.exit_code == 0
        return
    assert done.exit_code in (1, 2)
    assert "database" in done.output
    assert len(done.stderr.strip().splitlines()) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("words", [("runs",), ("approvals", "--full"), ("show", "said")])
def test_a_reader_that_leaves_and_a_home_that_is_missing_are_no_errors(four, tmp_path, words):
    kept = {name: value for name, value in os.environ.items() if name != "HOME"}
    command = f"{sys.executable} -m outlast {' '.join(words)} | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", ["runs", "doctor", "approvals", "run gone.py hi"])
def test_a_folder_that_was_removed_is_a_panel(tmp_path, words):
    (tmp_path / "gone").mkdir()
    command = f"cd gone && rmdir ../gone && {sys.executable} -m outlast {words}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTLAST")}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode in (1, 2)
    assert "was removed" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 8


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_completes_in_a_shell(cli, shell):
    assert "_OUTLAST_COMPLETE=complete_" in cli("completion", shell).stdout


def test_ids_of_runs_are_completed_and_a_broken_journal_completes_nothing(four, monkeypatch):
    from outlast.cli.command import known_ids

    assert known_ids("tick") == ["ticket-12"]
    monkeypatch.setenv("OUTLAST_JOURNAL", __file__)
    assert known_ids("tick") == []
