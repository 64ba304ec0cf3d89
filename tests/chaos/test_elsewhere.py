"""Performed in another process, over JSON, every program comes to the same end and the same log."""

from typing import get_args

import pytest
from chaoskit.harness import attack, golden
from chaoskit.scenarios import SCENARIOS

from outlast.core.ids import IdKind

RACES = {"tripped_guardrail"}
"""Scenarios in which something may or may not come into the log before the run ends."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_effects_that_another_process_performs_leave_the_same_log(warm, scenario):
    here, there = golden(warm, scenario), golden(warm, scenario, elsewhere=True)
    assert there.outcome == here.outcome
    assert (there.logs, there.done) == (here.logs, here.done) or scenario in RACES


def test_every_kind_of_effect_is_performed_in_another_process(warm):
    kinds = [golden(warm, scenario, elsewhere=True).kinds for scenario in SCENARIOS]
    assert frozenset.union(*kinds) == {*get_args(IdKind)} - {"input", "unknown"}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_with_a_worker_a_run_survives_a_crash_at_every_append(warm, scenario):
    expected = golden(warm, scenario, elsewhere=True)
    # Before one append, after the next but one: all of them cost four times the time.
    points = [each for n, each in enumerate(expected.points()) if n % 8 in (0, 5)]
    verdicts = [attack(warm, expected, [each], elsewhere=True) for each in points]
    assert [str(verdict) for verdict in verdicts if verdict.problems] == []
    assert sum(verdict.crashes for verdict in verdicts) >= len(verdicts) / 2
