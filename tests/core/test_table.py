"""A log so far, and what the run needs now: `table.txt`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from notation import event, log_of, wants_of  # a module beside this one

from outlast.core.decide import decide
from outlast.core.evolve import fold

LINES = (Path(__file__).parent / "table.txt").read_text().splitlines()
ROWS = [
    tuple(part.strip() for part in line.rsplit("|", 1))
    for line in LINES
    if line and not line.startswith("#")
]
each_row = pytest.mark.parametrize(("line", "wanted"), ROWS, ids=[row[0] for row in ROWS])


def logged(line: str) -> list:
    return [] if line == "-" else log_of(line)


@each_row
def test_a_run_needs_what_its_log_says(line: str, wanted: str):
    assert wants_of(logged(line)) == wanted


@each_row
def test_an_unknown_event_anywhere_changes_nothing(line: str, wanted: str):
    log = logged(line)
    for place in range(len(log) + 1):
        assert wants_of([*log[:place], event("unknown"), *log[place:]]) == wanted


@each_row
def test_an_event_that_comes_twice_changes_nothing(line: str, wanted: str):
    log = logged(line)
    for place in range(len(log)):
        assert wants_of([*log[: place + 1], *log[place:]]) == wanted, log[place]


@each_row
def test_taking_a_run_over_twice_is_taking_it_over(line: str, wanted: str):
    log = logged(line)
    assert wants_of([*log, event("crash"), event("crash")]) == wants_of([*log, event("crash")])
    del wanted


@each_row
def test_deciding_changes_nothing(line: str, wanted: str):
    state = fold(logged(line))
    assert decide(state) == decide(state)
    del wanted


def test_no_row_is_there_twice():
    assert len({row[0] for row in ROWS}) == len(ROWS) > 200
