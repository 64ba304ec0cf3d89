"""Whatever text a model, a tool or a file brings: no command lets it drive the terminal."""

import asyncio
import json
import sys
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

from outlast import Agent, Runner, function_tool
from outlast.cli.app import app
from outlast.cli.asking import call_lines, exact, fields
from outlast.cli.panel import panel
from outlast.cli.problem import problem_of
from outlast.cli.text import plain
from outlast.core.events import ApprovalRequested
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.views.waiting import WaitingCall

PIECES = [
    "\x1b[2J", "\x1b]0;owned\x07", "\x1b]8;;http://evil\x1b\\\\", "\u202e", "\u2066", "\r", "\x9b2J",
    "\x00", "\x7f", "\u200b", "\u2028", "\ufeff", "\U000e0041", "\u0338", "\u3164", "amount: 5", "\n", " " * 90,
    "[red]", "x", '"', "\\\\", "é", "世",
]  # fmt: skip


def waiting(item):
    """Return a call that waits for a person."""
    return WaitingCall("c1", ApprovalRequested("t1.c1", "c1", "Bank", "transfer"), item)


HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)
SAFE = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def drives(text):
    """The characters of an output that move, hide or reorder something."""
    kinds = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
    return {c for c in text if unicodedata.category(c) in kinds and c != "\n"}


@function_tool(needs_approval=True)
async def transfer(to: str, amount: int) -> str:
    """Send money."""
    return to


@function_tool
async def say(text: str) -> str:
    """Raise what the model says."""
    raise ValueError(text)


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    return lambda *words: CliRunner().invoke(app, list(words))


@SAFE
@given(text=HOSTILE, number=st.integers(0, 10**9))
def test_no_command_that_prints_a_run_lets_its_texts_through(cli, text, number):
    steps = [
        [assistant_message(text), function_call("say", {"text": text}, call_id="c1")],
        [function_call("transfer", {"to": text, "amount": number}, call_id="c2")],
    ]
    agent = Agent(name=f"Bank {text}", model=ScriptedModel(steps), tools=[say, transfer])
    run_id = f"r{abs(hash((text, number)))}"
    asyncio.run(Runner.run(agent, text or "hi", run_id=run_id))
    for words in (
        ("show", run_id), ("show", run_id, "--full"), ("show", run_id, "--json"), ("runs",),
        ("runs", "--full"), ("runs", "--json"), ("approve", run_id), ("approve", run_id, "--full"),
        ("approve", "--json"), ("show", text or "x"), ("show", run_id, "--follow"),
    ):  # fmt: skip
        done = cli(*words)
        assert not drives(done.stdout + done.stderr), words


@settings(max_examples=300, deadline=None)
@given(
    arguments=st.dictionaries(
        HOSTILE, HOSTILE | st.integers() | st.lists(HOSTILE, max_size=2), max_size=4
    ),
    width=st.sampled_from([20, 40, 80]),
)
def test_a_call_is_shown_as_what_will_run_and_no_value_looks_like_a_field(arguments, width):
    item = {"type": "function_call", "arguments": json.dumps(arguments)}
    lines = list(call_lines("r", waiting(item), width, is_full=True))
    assert not drives("".join(lines))
    body = lines[2:-2]
    starts = [line for line in body if not line.startswith("    | ")]
    assert len(starts) == len(arguments)
    joined, whole = "", []
    for line in [*body, "    end"]:
        if line.startswith("    | "):
            joined += line[6:]
        else:
            whole.append(joined)
            joined = line[4:]
    shown = dict(zip(arguments, whole[1:], strict=True))
    for (name, value), (_, text) in zip(fields(item), shown.items(), strict=True):
        assert text == f"{name}: {value}"
    assert [json.loads(value) for _, value in fields(item)] == list(arguments.values())


def test_arguments_that_name_something_twice_are_shown_as_the_text_that_they_are():
    twice = '{"amount": 5, "amount": 99000}'
    assert fields({"arguments": twice}) == [("arguments", exact(twice))]


def test_a_long_value_is_cut_and_what_is_cut_is_counted():
    item = {"arguments": json.dumps({"to": "x" * 5_000, "amount": 7})}
    lines = list(call_lines("r", waiting(item), 80))
    assert len(lines) < 20
    assert any("more characters: --full" in line for line in lines)
    assert "    amount: 7" in lines


@settings(max_examples=200, deadline=None)
@given(
    text=HOSTILE, kind=st.sampled_from([ValueError, SyntaxError, ImportError, OSError, KeyError])
)
def test_no_error_drives_the_terminal_or_takes_more_than_eight_lines(text, kind):
    from contextlib import redirect_stderr
    from io import StringIO

    said = StringIO()
    with redirect_stderr(said):
        panel(problem_of(kind(text)))
    assert not drives(said.getvalue())
    assert len(said.getvalue().splitlines()) <= 8


@given(HOSTILE)
def test_plain_text_is_one_line_that_drives_nothing(text):
    assert not drives(plain(text))
    assert "\n" not in plain(text)
