"""Commands that perform recorded runs again, and that count them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # Each command is a process of its own.

PROGRAM = """
from outlast import Agent, function_tool

@function_tool
def get_weather(city: str) -> str:
    return "rain"

agent = Agent(name="Guide", instructions={instructions!r}, tools=[get_weather], model="offline")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a program, a changed one, and a run of the first."""
    (tmp_path / "desk.py").write_text(PROGRAM.format(instructions="Be brief."))
    (tmp_path / "changed.py").write_text(PROGRAM.format(instructions="Be long."))
    assert outlast(tmp_path, "run", "desk.py", "What is the weather in Lisbon?", "--id", "trip-1")
    return tmp_path


def ran(project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OUTLAST_OFFLINE": "1", "COLUMNS": "100"}
    environment |= {"OUTLAST_HOME": str(project / ".outlast"), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "outlast", *words],
        cwd=project, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def outlast(project: Path, *words: str, status: int = 0) -> str:
    done = ran(project, *words)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_replay_says_that_nothing_or_what_differs(project: Path):
    assert "goes as recorded" in outlast(project, "replay", "trip-1", "--with", "desk.py")
    said = outlast(project, "replay", "trip-1", "--with", "changed.py", status=1)
    assert "First divergence" in said
    assert "-Be brief." in said
    assert "+Be long." in said
    as_json = outlast(project, "replay", "trip-1", "--with", "changed.py", "--json", status=1)
    assert json.loads(as_json)["divergences"][0]["what"] == "instructions"


def test_a_replay_without_a_program_says_which_it_was(project: Path):
    done = ran(project, "replay", "trip-1")
    assert done.returncode == 2
    assert "--with" in done.stdout + done.stderr


def test_a_fork_is_made_performed_and_compared(project: Path):
    said = outlast(
        project, "fork", "trip-1", "--at", "m1", "--set", "input=Say hello.", "--id", "trip-2",
        "--agent", "desk.py",
    )  # fmt: skip
    assert "forked trip-1 at m1: trip-2" in said
    different = outlast(project, "diff", "trip-1", "trip-2", status=1)
    assert "completed" in different
    assert json.loads(outlast(project, "diff", "trip-1", "trip-1", "--json"))["is_same"]
    shown = outlast(project, "show", "trip-2")
    assert "forked from trip-1" in shown


def test_a_fork_with_other_instructions_has_them(project: Path):
    outlast(
        project, "fork", "trip-1", "--at", "m1", "--set", "instructions=Be rude.", "--id", "rude",
        "--agent", "desk.py",
    )  # fmt: skip
    said = outlast(project, "replay", "rude", "--with", "desk.py", status=1)
    assert "-Be rude." in said


def test_a_test_is_exported_and_passes(project: Path):
    outlast(project, "export", "trip-1", "--pytest", "desk:agent", "--into", ".")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_trip_1.py"],
        cwd=project, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_runs_are_counted(project: Path):
    said = outlast(project, "stats")
    assert "Guide" in said
    assert "get_weather" in said
    found = json.loads(outlast(project, "stats", "--json"))
    assert found["agents"]["Guide"]["completed"] == 1
    assert found["agents"]["Guide"]["cost"] == 0
    assert found["tools"]["get_weather"]["calls"] == 1
    assert list(found["models"]) == ["offline"]
    assert json.loads(outlast(project, "stats", "--json", "--since", "1h"))["agents"]
    assert outlast(project, "stats", "--since", "soon", status=2) == ""


def test_a_trace_is_written_from_the_log(project: Path):
    assert "Sent 7 spans" in outlast(
        project, "trace", "trip-1", "--to", "file", "--file", "t.jsonl"
    )
    lines = (project / "t.jsonl").read_text().splitlines()
    kinds = [json.loads(line).get("span_data", {}).get("type") for line in lines]
    assert kinds.count("generation") == 2
    assert kinds.count("function") == 1


def test_a_run_is_watched_to_its_end(project: Path):
    assert "get_weather" in outlast(project, "watch", "trip-1")


@pytest.mark.parametrize("words", [["stats"], ["stats", "--json"]])
def test_counting_nothing_is_no_error(tmp_path: Path, words: list[str]):
    outlast(tmp_path, *words)
