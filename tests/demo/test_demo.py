"""The demo, as a newcomer starts it: no terminal, no key, no server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ESCAPES = re.compile(r"\x1b")


@pytest.fixture
def demo(tmp_path):
    def demo(*words, **environment):
        command = [sys.executable, "-m", "outlast.demo", *words]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OUTLAST", "OPENAI"))}
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=kept | environment,
            timeout=60,
            check=False,
        )

    return demo


def test_the_desk_is_killed_goes_on_and_refunds_once(demo):
    result = demo()
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert result.stdout.count("lookup_order(") >= 2
    assert "SIGKILL" in result.stdout
    assert re.search(r"\d steps reused, 1 in doubt retried with the same key", result.stdout)
    assert re.search(r"A-1007 +EUR 49.90 .* 2 x +once", result.stdout)


def test_the_readme_shows_what_the_demo_shows(demo):
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    block = re.search(r"```text\n(1  process.*?)```", readme, re.DOTALL)[1]
    assert set(masked(block)) - set(masked(demo(PYTHONIOENCODING="utf-8").stdout)) == set()
    assert len(masked(block)) > 15


def masked(text):
    """The lines, without what differs each time."""
    return re.sub(r"process \d+|desk-[0-9a-f]{6}", "*", text).splitlines()


def test_the_screen_fits_80_columns_and_needs_no_terminal(demo):
    shown = demo().stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert not ESCAPES.search(shown)


@pytest.mark.parametrize("message", ["Where is my order A-1012?", "Hello, who are you?"])
def test_a_message_of_ones_own_is_answered(demo, message):
    result = demo(message)
    assert result.returncode == 0, result.stdout + result.stderr
    assert message in result.stdout
    assert "no refund was asked for" in result.stdout


def test_a_message_may_come_from_the_environment(demo):
    assert "Where is A-1031?" in demo(MSG="Where is A-1031?").stdout


def test_a_key_in_the_environment_leaves_the_demo_offline(demo):
    result = demo(OPENAI_API_KEY="stale", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "offline" in result.stdout


def test_make_passes_a_message_on_as_it_was_typed(tmp_path):
    message = """It's "broken": costs $5, `date` $(HOME) $HOME; rm"""
    makefile = (Path(__file__).parents[2] / "Makefile").read_text("utf-8")
    head = makefile[: makefile.index(".PHONY")]
    (tmp_path / "Makefile").write_text(head + "\nsay:\n\t@printenv MSG\n", "utf-8")
    said = subprocess.run(
        ["make", "-s", "say", f"MSG={message}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == message + "\n"


@pytest.mark.parametrize("words", [(), ("--home", "a place")])
def test_the_command_at_its_end_works_as_it_stands(demo, tmp_path, words):
    hint = re.search(r"The tree again: (.*)", demo(*words).stdout)[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OUTLAST", "OPENAI"))}
    again = subprocess.run(
        ["sh", "-c", hint], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "completed" in again.stdout
