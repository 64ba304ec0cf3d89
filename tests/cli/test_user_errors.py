"""Whatever a user's program does wrong: one panel of eight lines at most, that says what and where."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from outlast.cli.app import app
from outlast.compat import uninstall
from outlast.testing.provider import FAULTS

HEAD = "from outlast import Agent, GuardrailFunctionOutput, RunHooks, Runner, RunConfig\n"
TOOL = """
from outlast import function_tool

@function_tool(failure_error_function=None)
def weather(city: str) -> str:
    "The weather."
    raise ValueError("the station is down")

agent = Agent(name="Guide", model="offline", tools=[weather])
"""
HOOK = """
class Hooks(RunHooks):
    async def on_agent_start(self, context, agent):
        raise ValueError("this hook is broken")

agent = Agent(name="Guide", model="offline")
Runner.run_sync(agent, "hi", hooks=Hooks())
"""
PROGRAMS = {
    "a syntax error": ("def f(:\n", "invalid syntax", "program.py:2"),
    "a bad indentation": ("  x = 1\n", "unexpected indent", "program.py:2"),
    "a missing module": ("import nosuchmodule\n", "nosuchmodule", "program.py:2"),
    "a missing name": ("from outlast import Agnet\n", "Agnet", "program.py:2"),
    "a module that is not there yet": ("import agents.voice.nothing\n", "agents.voice", ":2"),
    "an error at the top level": ("\n\nprint(1 / 0)\n", "ZeroDivisionError", "program.py:4"),
    "a tool that raises": (TOOL, "the station is down", "program.py:8, in weather"),
    "no key": ("agent = Agent(name='x')\n", "OPENAI_API_KEY", ""),
    "several agents": ("a, b = Agent(name='A'), Agent(name='B')\n", "program.py:a or b", ""),
    "a very long message": ("raise ValueError('x y' * 4000)\n", "ValueError", "program.py:2"),
    "many lines of message": ("raise ValueError('a\\n' * 99)\n", "ValueError", "program.py:2"),
}


BY_ITSELF = {
    "a text in place of the agent": ('Runner.run_sync("a", "b")\n', "takes an Agent", ":2"),
    "a number for a journal": (
        "\nRunner.run_sync(Agent(name='x'), 'hi', run_config=RunConfig(journal=3))\n",
        "got int",
        "program.py:3",
    ),
    "a hook that raises": (HOOK, "this hook is broken", "program.py:5, in on_agent_start"),
}


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """The command line in this process, on a terminal of so many columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    yield lambda *words: CliRunner().invoke(app, list(words))
    uninstall()


def squeezed(panel):
    """The text of a panel, wherever its lines are broken."""
    lines = (line.strip("│|+-╭╰─╮╯ ") for line in panel.splitlines())
    return "".join(lines).replace(" ", "")


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("name", PROGRAMS)
def test_an_error_is_one_panel_that_says_what_and_where(cli, tmp_path, monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text, *said = PROGRAMS[name]
    (tmp_path / "program.py").write_text(HEAD + text)
    done = cli("run", "program.py", "weather in Rome")
    assert done.exit_code in (1, 2)
    check_panel(done.stderr, said, columns)


@pytest.mark.parametrize("name", BY_ITSELF)
def test_an_error_of_a_run_that_a_file_starts_is_one_panel(tmp_path, name):
    text, *said = BY_ITSELF[name]
    (tmp_path / "program.py").write_text(HEAD + text)
    command = [sys.executable, "-m", "outlast", "run", "program.py", "weather in Rome"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    check_panel(done.stderr, said, 80)


def check_panel(panel, said, columns):
    lines = panel.strip().splitlines()
    assert len(lines) <= 8, panel
    assert max(map(len, lines)) <= columns
    assert "Traceback" not in panel
    for part in said:
        assert part.replace(" ", "") in squeezed(panel)


def test_the_whole_traceback_is_there_for_who_asks(cli, tmp_path):
    (tmp_path / "program.py").write_text(HEAD + TOOL)
    done = cli("run", "program.py", "weather in Rome", "--trace")
    assert "Traceback (most recent call last)" in done.stderr
    assert "run_function" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "nothing.py", "hi"), "There is no file"),
        (("run", ".", "hi"), "is a folder"),
        (("run", "program.py:other", "hi"), "has no Agent 'other'"),
        (("run",), "Missing argument"),
        (("bogus",), "No such command"),
        (("runs", "--bogus"), "No such option"),
        (("show", "nothing"), "There is no run 'nothing'"),
        (("sessions", "nothing.db"), "There is no file 'nothing.db'"),
        (("doctor", "--sessions", "nothing.db"), "There is no file 'nothing.db'"),
        (("doctor", "--mend"), "mend goes with --sessions"),
        (("runs", "--limit", "x"), "'--limit': expected a whole number."),
        (("costs", "--by", "foo"), "by 'foo' is not one of those there are"),
        (("mcp", "inspect", "nosuch"), "The command 'nosuch' of an MCP server cannot be started"),
    ],
)
def test_wrong_usage_is_a_panel_with_status_2(cli, tmp_path, words, said):
    (tmp_path / "program.py").write_text(HEAD + "agent = Agent(name='x', model='offline')\n")
    done = cli(*words)
    assert done.exit_code == 2
    assert said.replace(" ", "") in squeezed(done.stderr)
    assert len(done.stderr.strip().splitlines()) <= 8


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (("sessions", "program.py"), "'program.py' cannot be read as a SQLite database", 1),
        (("fork", "one", "--at", "m9"), "has no step 'm9' to fork at", 2),
    ],
)
def test_what_a_command_cannot_use_is_named(cli, tmp_path, words, said, status):
    (tmp_path / "program.py").write_text(HEAD + "agent = Agent(name='x', model='offline')\n")
    assert cli("run", "program.py", "hi", "--id", "one").exit_code == 0
    done = cli(*words)
    assert done.exit_code == status
    assert said.replace(" ", "") in squeezed(done.stderr)


NEEDS = """
from outlast import RunContextWrapper, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

@function_tool{how}
def who(ctx: RunContextWrapper) -> str:
    return ctx.context.user

turns = [[function_call("who", {{}}, call_id="c1")], [assistant_message("done")]]
agent = Agent(name="Guide", model=ScriptedModel(turns), tools=[who])
"""


@pytest.mark.parametrize("how", ["", "(failure_error_function=None)"])
def test_a_tool_that_misses_its_context_is_told_that_a_command_line_gives_none(cli, tmp_path, how):
    (tmp_path / "program.py").write_text(HEAD + NEEDS.format(how=how))
    done = cli("run", "program.py", "hi")
    assert "AcommandlinegivesNone".lower() in squeezed(done.output).lower()


def test_the_names_of_faults_are_whole_on_a_narrow_screen(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = cli("provider", "--faults").stdout
    assert all(name in said for name in FAULTS)


def test_a_home_that_cannot_be_written_is_a_panel(cli, tmp_path):
    (tmp_path / "file").touch()
    done = cli("demo", "--home", str(tmp_path / "file" / "home"))
    assert done.exit_code in (1, 2)
    assert len(done.stderr.strip().splitlines()) <= 8
    assert "home" in done.stderr


@pytest.mark.parametrize("words", [("runs",), ("show", "x"), ("run", "program.py", "hi")])
def test_a_journal_that_is_none_is_a_panel(cli, tmp_path, monkeypatch, words):
    (tmp_path / "program.py").write_text(HEAD + "agent = Agent(name='x', model='offline')\n")
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("OUTLAST_JOURNAL", "broken.db")
    done = cli(*words)
    assert done.exit_code in (1, 2)
    assert "broken.db" in squeezed(done.stderr)
    assert len(done.stderr.strip().splitlines()) <= 8


def test_a_missing_key_in_a_library_call_takes_twelve_lines_at_most(tmp_path):
    (tmp_path / "program.py").write_text(HEAD + 'Runner.run_sync(Agent(name="x"), "hi")\n')
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "OPENAI_API_KEY" in done.stderr
    assert "no running event loop" not in done.stderr
    own = done.stderr.rpartition("Traceback")[2]  # What the provider's client chained comes before.
    assert len(own.splitlines()) <= 12


def test_an_error_of_a_run_keeps_the_frames_of_the_users_own_code(tmp_path):
    (tmp_path / "program.py").write_text(HEAD + HOOK)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "in on_agent_start" in done.stderr
    assert "/outlast/engine/" not in done.stderr
