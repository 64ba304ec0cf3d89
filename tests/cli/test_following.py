"""A run that nobody performs: whoever looks at it is told so, and how to go on."""

import asyncio
import signal

import pytest
from typer.testing import CliRunner

from outlast.cli import following
from outlast.cli.app import app
from outlast.cli.commands import show as showing
from outlast.core.events import EffectStarted, RunAbandoned, RunStarted, TurnPrepared
from outlast.journal import open_journal


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "_LOOK_S", 0.01)
    return lambda *words: CliRunner().invoke(app, list(words))


def left(*events):
    """A run whose process has left it as it is after ``events``."""

    async def write():
        journal = open_journal()
        lease = await journal.acquire("trip-1", new=True)
        options = {"program": "desk.py:agent"}
        await journal.append(lease, [RunStarted(agent="Desk", input=[], options=options), *events])
        await journal.release(lease)

    asyncio.run(write())


BEGUN = (TurnPrepared(id="p1", agent="Desk"), EffectStarted(id="m1", kind="model"))
CASES = [
    ((), "nobody performs it yet"),
    (BEGUN, "nobody performs it: its process died"),
    ((*BEGUN, RunAbandoned("leave")), "nobody performs it: whoever asked for it has left"),
]


@pytest.mark.parametrize(("events", "said"), CASES)
@pytest.mark.parametrize("word", ["show", "watch"])
def test_a_run_that_nobody_performs_says_how_to_go_on_and_ends(cli, word, events, said):
    left(*events)
    done = cli(word, "trip-1")
    assert done.exit_code == 0, done.output
    assert f"{said}; go on:\noutlast resume trip-1 --agent desk.py:agent" in done.stdout


def test_ctrl_c_ends_the_following_and_says_nothing_of_the_run(cli, monkeypatch):
    left(*BEGUN)

    async def stopped(run_id):
        raise KeyboardInterrupt

    monkeypatch.setattr(showing, "follow_run", stopped)
    done = cli("watch", "trip-1")
    assert done.exit_code == 128 + signal.SIGINT
    assert "No longer following trip-1." in done.stdout
    assert not done.stderr
