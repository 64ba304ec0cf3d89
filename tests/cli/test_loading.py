"""A file is loaded to find its agent: what it prints or raises then is not what the command does."""

import pytest
from typer.testing import CliRunner

from outlast.cli.app import app

AGENT = """
from outlast import Agent, Runner
agent = Agent(name="Guide", model="offline")
"""
SCRIPT = (
    AGENT
    + """
print("hello from the file")
raise RuntimeError("the script went wrong")
"""
)
EXITS = AGENT + "raise SystemExit(0)\n"
LINE = "(output of loading program.py)"


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(AGENT)
    words = lambda *words: CliRunner().invoke(app, list(words))  # noqa: E731
    assert words("run", "program.py", "hi", "--id", "r").exit_code == 0
    return words


def said(text):
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("text", [SCRIPT, EXITS])
@pytest.mark.parametrize(
    "words",
    [
        ("replay", "r", "--with", "program.py"),
        ("fork", "r", "--at", "m1", "--agent", "program.py"),
    ],
)
def test_a_script_that_fails_while_it_is_loaded_says_that_the_run_is_untouched(
    cli, tmp_path, words, text
):
    (tmp_path / "program.py").write_text(text)
    done = cli(*words)
    assert done.exit_code == 1
    assert "Loading program.py failed. Run r was not touched by this command." in said(done.stderr)
    assert 'put what it does under `if __name__ == "__main__":`' in said(done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "program.py", "hi"),
        ("run", "program.py:made", "hi"),
        ("graph", "program.py:agent"),
        ("replay", "r", "--with", "program.py"),
        ("fork", "r", "--at", "m1", "--agent", "program.py"),
    ],
)
def test_what_a_file_prints_while_it_is_loaded_stands_beside_the_output(cli, tmp_path, words):
    more = "def made():\n    print('made')\n    return agent\n"
    (tmp_path / "program.py").write_text(AGENT + "print('hello from the file')\n" + more)
    done = cli(*words)
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith(f"{LINE}\nhello from the file\n")
    assert "hello from" not in done.stdout
    assert "made" not in done.stdout


def test_a_log_handler_that_is_made_meanwhile_writes_to_the_output_later(cli, tmp_path):
    keeps = "import sys\nkept = sys.stdout\ndef late(context, agent):\n    kept.write('late')\n    return ''\n"
    (tmp_path / "program.py").write_text(keeps + AGENT.replace(")", ", instructions=late)"))
    done = cli("run", "program.py", "hi")
    assert "late" in done.stdout, done.output


def test_a_fork_with_settings_of_the_program_says_how_to_repeat_them(cli, tmp_path):
    (tmp_path / "program.py").write_text(AGENT + "class Bad:\n    pass\n")
    settings = ("--set", "instructions=Be brief.", "--set", "model=nosuch/model")
    done = cli("fork", "r", "--at", "m1", *settings, "--agent", "program.py", "--id", "f")
    assert done.exit_code == 1
    again = "outlast fork r --at m1 --agent program.py --set 'instructions=Be brief.' --set model="
    assert again in said(done.output)
    assert "outlast retry" not in done.output


def test_a_fork_wants_a_key_for_the_model_that_it_is_given(cli, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OUTLAST_OFFLINE", raising=False)
    done = cli("fork", "r", "--at", "m1", "--set", "model=gpt-5-mini", "--agent", "program.py")
    assert (done.exit_code, "No API key" in done.stderr) == (2, True)
    assert "forked" not in done.stdout
