"""A number that an option does not take is refused with the bound that it has passed."""

from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from outlast.cli.app import app

GROUP: Any = typer.main.get_command(app)


def bound_of(option: Any, name: str) -> float | None:
    """The lower or upper bound, wherever this version of typer keeps it."""
    place = option if hasattr(option, name) else getattr(option, "type", None)
    return getattr(place, name, None)


BEYOND = [
    (name, option.opts[0], bound + step, f"expected a number {said}.")
    for name, each in GROUP.commands.items()
    for option in each.params
    for which, step, words in (("min", -1, "from {:g} on"), ("max", 1, "up to {:g}"))
    if (bound := bound_of(option, which)) is not None
    for said in [words.format(bound)]
]


def test_there_are_options_with_bounds_on_both_sides():
    assert {"serve --port", "eval --workers", "eval --repeat", "eval --min", "runs --limit"} <= {
        f"{name} {option}" for name, option, _, _ in BEYOND
    }


@pytest.mark.parametrize(("name", "option", "value", "said"), BEYOND)
def test_a_number_out_of_range_names_the_bound_the_right_way_round(
    name: str, option: str, value: float, said: str
):
    done = CliRunner().invoke(app, [name, option, str(value)])
    assert done.exit_code == 2
    assert f"{option}': {said}" in " ".join(done.stderr.replace("│", " ").split())
