"""Killed before and after each of its appends, every program comes to the same end."""

import json
import subprocess
import sys

import pytest
from chaoskit.harness import KILLED, WARM, attack, check, golden, is_expected, outcome_of
from chaoskit.scenarios import SCENARIOS


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_survives_a_crash_at_every_append(warm, scenario):
    # How many appends there are depends on what happens to end together: the fewest are always met.
    expected = min((golden(warm, scenario) for _ in range(4)), key=lambda each: each.appends)
    # Before one append and after the next: `make chaos` kills before and after each.
    points = [point for n, point in enumerate(expected.points()) if n % 4 in (0, 3)]
    verdicts = [attack(warm, expected, [point]) for point in points]
    assert [str(verdict) for verdict in verdicts if verdict.problems] == []
    # Appends differ by one or two where things happen at the same time, so not every point is met.
    assert sum(verdict.crashes for verdict in verdicts) >= len(verdicts) / 2


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_survives_crashes_while_it_recovers(warm, scenario):
    expected = golden(warm, scenario)
    middle = expected.appends // 2
    chains = [[f"{middle}:after", "1:after", "2:before"], ["3:before", "2:after", "1:before"]]
    verdicts = [attack(warm, expected, chain) for chain in chains]
    assert [str(verdict) for verdict in verdicts if verdict.problems] == []


@pytest.mark.slow
def test_a_fresh_interpreter_goes_on_where_another_was_killed(warm, place):
    expected = golden(warm, "plain")

    def start(point):
        request = json.dumps({"scenario": "plain", "folder": str(place), "point": point})
        return subprocess.run([sys.executable, str(WARM), "once", request], check=False).returncode

    assert start(f"{expected.appends // 2}:after") == KILLED
    assert start("") == 0
    assert is_expected(expected, outcome_of(place)["outcome"])
    assert check(place, 1) == []


def test_a_run_that_has_ended_is_returned_and_not_performed(warm, place):
    expected = golden(warm, "plain")
    before = warm.play(place, "plain")
    done = (place / "effects.log").read_text()
    after = warm.play(place, "plain")
    assert (before, after) == ([0], [0])
    assert (place / "effects.log").read_text() == done
    assert is_expected(expected, outcome_of(place)["outcome"])
