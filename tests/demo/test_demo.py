"""The demo, as a newcomer starts it: no terminal, no key, no server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ESCAPES = re.compile(r"\x1b")


def started(place, *words, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OUTLAST", "OPENAI"))}
    return subprocess.run(
        [sys.executable, "-m", "outlast.demo", *words],
        capture_output=True,
        text=True,
        cwd=place,
        env=kept | environment,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The demo as it is, beside a key that works for nothing."""
    place = tmp_path_factory.mktemp("plain")
    key = {"OPENAI_API_KEY": "stale", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    return place, started(place, **key, PYTHONIOENCODING="utf-8")


def test_the_desk_is_killed_goes_on_and_refunds_once_beside_a_key_that_does_not_work(plain):
    result = plain[1]
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert "offline" in result.stdout
    assert result.stdout.count("lookup_order(") >= 2
    assert "SIGKILL" in result.stdout
    assert re.search(r"\d steps reused, 1 in doubt retried with the same key", result.stdout)
    assert re.search(r"A-1007 +EUR 49.90 .* 2 x +once", result.stdout)


def test_the_readme_shows_what_the_demo_shows(plain):
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    block = re.search(r"```text\n(1  process.*?)```", readme, re.DOTALL)[1]
    assert set(masked(block)) - set(masked(plain[1].stdout)) == set()
    assert len(masked(block)) > 15


def masked(text):
    """The lines, without what differs each time."""
    return re.sub(r"process \d+|desk-[0-9a-f]{6}", "*", text).splitlines()


def test_the_screen_fits_80_columns_and_needs_no_terminal(plain):
    shown = plain[1].stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert not ESCAPES.search(shown)


@pytest.mark.parametrize("is_typed", [True, False], ids=["typed", "from_the_environment"])
def test_a_message_of_ones_own_is_answered(tmp_path, is_typed):
    message = "Where is my order A-1012?"
    words = (message,) if is_typed else ()
    result = started(tmp_path, *words, **({} if is_typed else {"MSG": message}))
    assert result.returncode == 0, result.stdout + result.stderr
    assert message in result.stdout
    assert "no refund was asked for" in result.stdout


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
def test_the_command_at_its_end_works_as_it_stands(plain, tmp_path, words):
    place, shown = (tmp_path, started(tmp_path, *words)) if words else plain
    hint = re.search(r"The tree again: (.*)", shown.stdout)[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OUTLAST", "OPENAI"))}
    again = subprocess.run(
        ["sh", "-c", hint], cwd=place, env=kept, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "completed" in again.stdout
