"""`outlast migrate`: import lines of openai-agents become those of Outlast."""

import ast
import subprocess
import sys

import pytest

from outlast.compat.migrate import migrated

PROGRAM = """import asyncio, agents
from agents import Agent, Runner  # the two
from agents.extensions.handoff_prompt import (
    RECOMMENDED_PROMPT_PREFIX,
)
agent = Agent(name="A", model="offline", instructions=RECOMMENDED_PROMPT_PREFIX)
print(len(agents.ItemHelpers.__name__), Runner.run_sync(agent, "hi").final_output)
"""


def outlast(*words, cwd):
    command = [sys.executable, "-m", "outlast", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import agents", "import outlast as agents"),
        ("import agents as a", "import outlast as a"),
        ("import agents.run", "import outlast as agents, outlast.run"),
        ("import agents.run as r, os", "import outlast.run as r, os"),
        ("from agents import Agent, tracing", "from outlast import Agent, tracing"),
        ("from agents import *", "from outlast import *"),
        ("from openai_agents.tool import FunctionTool", "from outlast.tool import FunctionTool"),
        ("x = 'é'; from  agents  import Agent", "x = 'é'; from  outlast  import Agent"),
        ("if x:\r\n    from agents import Agent\r\n", "if x:\r\n    from outlast import Agent\r\n"),
        ("import agentsmith\nfrom my.agents import x\nfrom .agents import y", None),
        ("x = 1\f\nfrom agents import Agent", "x = 1\f\nfrom outlast import Agent"),
        ("x = '\u2028'\nimport agents.run", "x = '\u2028'\nimport outlast as agents, outlast.run"),
        ("import os", None),
    ],
)
def test_an_import_line_changes_and_nothing_else(tmp_path, before, after):
    found = migrated(tmp_path / "a.py", before, ast.parse(before))
    assert found.after == (before if after is None else after)
    assert found.left == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("from agents import FunctionAgent", "only under openai-agents' name: FunctionAgent"),
        ("from agents import Agent, Nothing", "only under openai-agents' name: Nothing"),
        ("from agents.voice import VoicePipeline", "Outlast has no agents.voice"),
        ("import agents.nothing", "Outlast has no agents.nothing"),
        ("patch('agents.run.Runner')", "names a module in a text"),
    ],
)
def test_a_line_that_cannot_change_stays_and_is_named(tmp_path, line, why):
    found = migrated(tmp_path / "a.py", line, ast.parse(line))
    assert (found.after, found.left) == (line, [(1, why)])


def test_a_module_of_the_projects_own_is_left_alone(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    line = "from agents import Agent"
    assert migrated(tmp_path / "a.py", line, ast.parse(line)).after == line


def test_diff_shows_the_change_and_writes_nothing(tmp_path):
    (tmp_path / "main.py").write_text(PROGRAM)
    done = outlast("migrate", ".", "--diff", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "-from agents import Agent, Runner  # the two" in done.stdout
    assert "+from outlast import Agent, Runner  # the two" in done.stdout
    assert "1 file would change." in done.stdout
    assert (tmp_path / "main.py").read_text() == PROGRAM


def test_a_migrated_program_runs_without_the_alias_and_is_not_migrated_again(tmp_path):
    file = tmp_path / "main.py"
    file.write_text(PROGRAM)
    before = outlast("run", "main.py", cwd=tmp_path).stdout
    assert outlast("migrate", "main.py", cwd=tmp_path).returncode == 0
    after = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert after.stdout == before != ""
    assert "agents" not in file.read_text().replace("outlast as agents", "").split("\nagent =")[0]
    assert "0 files changed" in outlast("migrate", "main.py", cwd=tmp_path).stdout


def test_a_file_that_is_no_python_is_passed_over_and_a_place_that_is_not_there_is_an_error(
    tmp_path,
):
    (tmp_path / "bad.py").write_text("from agents import (")
    assert "0 files changed" in outlast("migrate", ".", cwd=tmp_path).stdout
    assert outlast("migrate", "nowhere", cwd=tmp_path).returncode == 2
