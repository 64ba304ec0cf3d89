"""What lists of runs leave out, shorten, and say when they are empty."""

import json

import pytest
from typer.testing import CliRunner

from outlast.cli.app import app
from outlast.cli.text import short_ids
from outlast.views.status import STATUSES

PROGRAM = """
from outlast import Agent
one = Agent(name="One", model="offline")
two = Agent(name="Two", model="offline")
"""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def three(cli):
    for agent in ("one", "one", "two"):
        assert cli("run", f"program.py:{agent}", "hi").exit_code == 0
    return json.loads(cli("runs", "--json").stdout)


def test_a_status_that_there_is_not_is_an_error_that_lists_them(cli, three):
    done = cli("runs", "--status", "bogus")
    assert done.exit_code == 2
    assert all(word in done.stderr for word in STATUSES)


@pytest.mark.parametrize("command", ["runs", "approvals"])
def test_an_agent_that_there_is_not_is_an_error_that_lists_them(cli, three, command):
    done = cli(command, "--agent", "nobody")
    assert done.exit_code == 2
    assert "--agent 'nobody'" in done.stderr
    assert cli(command, "--agent", "One").exit_code == 0


def test_no_runs_of_a_user_say_how_to_begin_only_where_there_are_none_at_all(cli, three):
    assert "outlast demo" not in cli("runs", "--user", "nobody").stdout


def test_runs_are_chosen_by_agent_and_status_and_number(cli, three):
    assert len(json.loads(cli("runs", "--json", "--agent", "One").stdout)) == 2
    assert len(json.loads(cli("runs", "--json", "--status", "completed").stdout)) == 3
    limited = cli("runs", "--limit", "1").stdout
    assert "2 more: --limit 0" in limited


def test_ids_are_short_where_that_is_enough_and_found_again(cli, three):
    listed = cli("runs").stdout
    for row in three:
        assert row["run_id"] not in listed
        assert row["run_id"][:8] in listed
        assert cli("show", row["run_id"][:8]).exit_code == 0
    assert three[0]["run_id"] in "".join(cli("runs", "--full").stdout.split())


def test_a_short_id_is_never_that_of_another_run_and_chosen_ids_stay_whole():
    same = ["a" * 32, "a" * 31 + "b", "order-17"]
    assert short_ids(same) == {each: each for each in same}


@pytest.mark.parametrize(
    ("environment", "where"),
    [({"OUTLAST_JOURNAL": "off"}, "OUTLAST_JOURNAL=off"), ({"OUTLAST_HOME": "there"}, "there")],
)
@pytest.mark.parametrize("command", ["runs", "approve"])
def test_an_empty_answer_says_where_it_looked(cli, monkeypatch, environment, where, command):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = cli(command)
    assert done.exit_code == 0
    assert where in done.stdout


def test_show_says_the_same_status_as_the_list(cli, three):
    (row, *_) = three
    assert json.loads(cli("show", row["run_id"], "--json").stdout)["status"] == row["status"]


def test_a_run_that_has_ended_can_be_followed(cli, three):
    done = cli("show", three[0]["run_id"], "--follow")
    assert done.exit_code == 0
    assert done.stdout.count("✓ model") == 1


@pytest.mark.parametrize("columns", [40, 60])
def test_a_narrow_screen_still_says_which_agent_and_status(cli, three, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = cli("runs").stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert "completed" in lines[1]
    assert "Two" in lines[1]


def test_every_command_has_a_help_with_an_example_and_says_what_each_option_is():
    import typer.main

    for name, command in typer.main.get_command(app).commands.items():
        text = CliRunner().invoke(app, [name, "-h"]).stdout
        assert f"outlast {name}" in text.split("Examples:")[1]
        assert all(option.help for option in command.params), name


def test_the_version_is_said():
    from outlast.version import __version__

    assert __version__ in CliRunner().invoke(app, ["--version"]).stdout


@pytest.mark.parametrize("age", ["-5d", "nand", "99999999999999999999d", "9" * 30 + "w"])
def test_an_age_that_is_none_is_a_usage_error(cli, three, age):
    done = cli("prune", f"--older-than={age}")
    assert (done.exit_code, "is no age" in " ".join(done.stderr.split())) == (2, True), done.output
    assert len(json.loads(cli("runs", "--json").stdout)) == 3
