"""Of many processes that want a run, one performs it; whoever lost it learns so in time."""

import os
import signal
import time
from collections import Counter

import pytest
from chaoskit.harness import Warm, check, effects, golden, is_expected, outcome_of

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


@pytest.mark.slow
def test_a_stopped_owner_that_was_replaced_performs_nothing_more(warm, other, place):
    warm.send(place, "stuck")
    owner = pid_of_the_tool(place)
    os.kill(owner, signal.SIGSTOP)
    assert other.play(place, "stuck", force=True) == [0]
    assert outcome_of(place)["outcome"]["output"] == "paid"
    done = effects(place)
    (place / "go").touch()
    os.kill(owner, signal.SIGCONT)
    assert warm.receive() == [1]
    assert outcome_of(place)["error"] == "Fenced"
    assert effects(place) == done
    assert check(place, 1) == []


@pytest.mark.slow
def test_a_living_owner_is_not_replaced(warm, other, place):
    warm.send(place, "stuck")
    pid_of_the_tool(place)
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


def pid_of_the_tool(place):
    """The process whose tool hangs, as soon as it does."""
    deadline = time.monotonic() + 20
    while not any(line["effect"] == "tool:wait:a" for line in effects(place)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return effects(place)[-1]["pid"]
