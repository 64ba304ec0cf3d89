"""The demo, as a newcomer starts it: no terminal, no key, no server."""

import os
import re
import subprocess
import sys

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
