"""A command begins with what it needs, and not with what all others need."""

import subprocess
import sys

import pytest
import typer.main

from outlast.cli import module_of
from outlast.cli.app import COMMANDS, app

_CODE = """
import sys, typer.main
from outlast.cli import app_for
print(*typer.main.get_command(app_for(sys.argv[1:])).commands)
"""


def begun_with(*words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize("words", [["cancel", "r"], ["--server", "runs", "cancel", "r"]])
def test_a_command_is_alone(words: list[str]):
    assert begun_with(*words) == ["cancel"]


@pytest.mark.parametrize("words", [[], ["-h"], ["cancle", "runs"], ["--version"]])
def test_without_one_all_are_there(words: list[str]):
    assert len(begun_with(*words)) == len(COMMANDS)


def test_every_command_has_a_module_that_is_found_by_its_name():
    for name, each in typer.main.get_command(app).commands.items():  # pyright: ignore[reportAttributeAccessIssue]  # a group
        assert each.callback.__module__ == module_of(name)
