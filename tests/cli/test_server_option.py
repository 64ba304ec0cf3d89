"""`outlast --server URL`: what it says where the address, the place or the key is wrong."""

from __future__ import annotations

import pytest

from outlast.cli.app import app
from outlast.cli.logs import journal_place
from outlast.cli.problem import problem_of
from outlast.cli.remote import server_url
from outlast.cli.running import ways_on
from outlast.client import ServerProblem


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--server", "127.0.0.1:8431", "runs"], "--server takes a URL: http://127.0.0.1:8431"),
        (["runs", "--server", "http://127.0.0.1:8431"], "before the command"),
    ],
)
def test_a_server_that_is_named_wrongly_is_said_to_be(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    assert app(words, standalone_mode=False) == 2
    told = capsys.readouterr()
    assert says in " ".join((told.out + told.err).split())


def test_a_server_that_wants_a_key_is_no_failed_run():
    problem = problem_of(ServerProblem(401, "no-credentials", "Send the key.", {}))
    assert problem.title == "The server has refused"
    assert "OUTLAST_SERVER_KEY" in problem.fix[0]
    assert problem_of(ServerProblem(404, "not-found", "Not here.", {})).fix == ()


async def test_runs_of_a_server_are_where_the_option_says_and_go_on_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("OUTLAST_JOURNAL", "http://127.0.0.1:8431")
    assert server_url() == "http://127.0.0.1:8431"
    assert journal_place() == "http://127.0.0.1:8431 (--server)"
    (way,) = await ways_on("r1", "")
    assert way.endswith("outlast --server http://127.0.0.1:8431 show r1")
    assert "by itself" in way
