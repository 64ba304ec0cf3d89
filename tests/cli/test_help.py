"""Help is written for people: what to type, whole sentences, and room on a terminal of 80 columns."""

import re

import pytest
import typer.main
from typer.testing import CliRunner

from outlast.cli.app import COMMANDS, app

CALLED = {"evaluating": "eval"}  # Modules that are not named as their command is.
MODULES = [module.__name__.rpartition(".")[2] for module in COMMANDS]
NAMES = [CALLED.get(name, name) for name in MODULES]


def helped(*words, columns=80):
    environment = {"COLUMNS": str(columns)}
    done = CliRunner().invoke(app, [*words, "-h"], env=environment, prog_name="outlast")
    assert done.exit_code == 0, done.output
    return done.output


def test_the_help_lists_every_command_in_its_order_with_a_whole_sentence():
    listed = helped().partition("Commands:\n")[2]
    assert re.findall(r"^  (\w+)  ", listed, re.MULTILINE) == NAMES
    assert set(NAMES) == set(typer.main.get_command(app).commands)
    assert "..." not in listed
    rows = re.sub(r"\n {9,}", " ", listed.rstrip()).splitlines()  # Long ones are wrapped.
    assert [row for row in rows if not row.endswith(".")] == []


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_fits_eighty_columns(name):
    assert [line for line in helped(*name.split()).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", NAMES)
def test_help_names_no_types_of_python_and_no_option_that_only_negates(name):
    text = helped(name)
    assert re.findall(r"<[\w\[\] ]+>|\{\w+|\[\[|x[<>]=|\[required\]|/ --no-(?!content)", text) == []


@pytest.mark.parametrize("name", NAMES)
def test_at_forty_columns_only_examples_are_longer_than_the_terminal(name):
    text, _, _ = helped(name, columns=40).partition("Examples:")
    assert [line for line in text.splitlines() if len(line) > 40] == []


def test_usage_puts_in_brackets_what_can_be_left_out():
    assert "Usage: outlast run [OPTIONS] [FILE[:AGENT]] [MESSAGE]...\n" in helped("run")
    assert "Usage: outlast approve [OPTIONS] [RUN] [CALL]\n" in helped("approve")
    assert "Usage: outlast show [OPTIONS] [RUN]\n" in helped("show")
