"""Of many processes that want a run, one performs it; whoever lost it learns so in time."""

from collections import Counter

import pytest
from chaoskit.harness import Warm, check, effects, golden, is_expected, outcome_of
from chaoskit.races import cancel_appends, double_resume, wait_for_the_tool, zombie

PROCESSES = 8


def test_of_eight_processes_one_resumes_a_run(warm, place):
    expected = golden(warm, "parallel_tools")
    for point in range(2, expected.appends):
        run = place / str(point)
        run.mkdir()
        warm.play(run, "parallel_tools", f"{point}:before")
        codes = warm.play(run, "parallel_tools", many=PROCESSES)
        outcomes = [outcome_of(run, number) for number in range(PROCESSES)]
        done = [facts["outcome"] for facts in outcomes if "outcome" in facts]
        refused = {facts["error"] for facts in outcomes if "error" in facts}
        # Those that come when it is over get its result; those in between are told to wait.
        assert done, codes
        assert all(is_expected(expected, outcome) for outcome in done)
        assert refused <= {"AlreadyRunning", "Fenced"}
        assert check(run, 1) == []


def test_of_eight_processes_one_begins_a_run(warm, place):
    warm.play(place, "plain", many=PROCESSES)
    outcomes = [outcome_of(place, number) for number in range(PROCESSES)]
    assert any("outcome" in facts for facts in outcomes)
    refused = {facts["error"] for facts in outcomes if "error" in facts}
    assert refused <= {"AlreadyRunning", "Fenced"}
    often = Counter(line["effect"] for line in effects(place))
    assert set(often.values()) == {1}


def test_of_two_processes_one_resumes_a_run(warm):
    expected = golden(warm, "parallel_tools")
    for point in expected.points():
        assert double_resume(warm, expected, point) == []


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_a_cancelled_append_is_written_whole_or_not_at_all(durability):
    assert await cancel_appends(1, 200, durability) == []


@pytest.mark.slow
def test_a_stopped_owner_that_was_replaced_performs_nothing_more(warm, other):
    assert zombie(warm, other) == []


@pytest.mark.slow
def test_a_living_owner_is_not_replaced(warm, other, place):
    warm.send(place, "stuck")
    wait_for_the_tool(place)
    assert other.play(place, "stuck") == [1]
    assert outcome_of(place)["error"] == "AlreadyRunning"
    (place / "go").touch()
    assert warm.receive() == [0]
    assert check(place, 0) == []


@pytest.fixture
def other():
    process = Warm()
    yield process
    process.close()
