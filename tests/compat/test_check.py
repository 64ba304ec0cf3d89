"""`python -m outlast.compat`: what a code base uses, and programs that run unmodified."""

import subprocess
import sys
from pathlib import Path

import pytest

from outlast.compat.check import verdict_of
from outlast.compat.table import ALIASES

PROGRAM = """
import agents
import agents.tracing as spans
from agents import Agent, Runner, realtime
from agents.sandbox import ExecResult, SandboxAgent
from agents.model_settings import ModelSettings
from agents.voice import VoicePipeline
from agents.run import Nonsense
from .agents import local

agents.function_tool, spans.trace, agents.nonsense
"""


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "outlast.compat", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def test_a_code_base_is_told_what_works_and_what_does_not(tmp_path: Path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "theirs.py").write_text("from agents import Unseen")
    done = command("check", ".", cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "Not known: agents.nonsense  (program.py:11)",
        "Not known: agents.run.Nonsense  (program.py:8)",
        "Not there yet: agents.realtime  (program.py:4)",
        "Not there yet: agents.sandbox.SandboxAgent  (program.py:5)",
        "Not there yet: agents.voice.VoicePipeline  (program.py:7)",
        "8 of 13 names work.",
    ]
    assert {line.strip() for line in lines[6:]} == {
        "agents", "agents.Agent", "agents.Runner", "agents.function_tool", "agents.tracing",
        "agents.tracing.trace", "agents.sandbox.ExecResult", "agents.model_settings.ModelSettings",
    }  # fmt: skip


def test_a_code_base_that_needs_nothing_else_is_told_so(tmp_path: Path):
    (tmp_path / "program.py").write_text("from openai_agents import Agent\n")
    done = command("check", "program.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 of 1 names work.\n  agents.Agent\n")


def test_a_path_that_is_not_there_is_named(tmp_path: Path):
    done = command("check", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere" in done.stderr


@pytest.mark.parametrize("module", sorted(ALIASES))
def test_a_module_of_the_table_works(module: str):
    assert verdict_of(module) == "works"


def test_a_program_and_a_package_run_unmodified(tmp_path: Path):
    text = (
        "import sys\nfrom agents import Agent\nprint(Agent.__module__, sys.argv[1:])\nsys.exit(7)\n"
    )
    (tmp_path / "script.py").write_text(text)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text(text)
    for words in (["script.py"], ["-m", "package"]):
        done = command(*words, "--flag", "a b", cwd=tmp_path)
        assert done.stdout == "outlast.definitions.agent ['--flag', 'a b']\n", done.stderr
        assert done.returncode == 7
