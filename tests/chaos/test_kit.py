"""The kit itself: a check that cannot fail would be worth nothing."""

import json
import random

import pytest
from chaoskit.harness import check, effects, golden, is_expected
from chaoskit.races import CancelledRun

from outlast.core.events import RunStarted
from outlast.journal import MemoryJournal
from outlast.testing.crashing import POINT, CrashingJournal


class Dead(Exception):
    """What stands for the end of the process here."""


def die():
    raise Dead


async def appended(at, moment):
    """How many events the log holds when the process dies at an append."""
    inner = MemoryJournal()
    journal = CrashingJournal(inner, at=at, moment=moment, crash=die)
    lease = await journal.acquire("run", new=True)
    event = RunStarted(agent="a", input=[])
    for _ in range(at - 1):
        await journal.append(lease, [event], barrier=False)
    with pytest.raises(Dead):
        await journal.append(lease, [event], barrier=False)
    return journal.appends, len(await inner.read("run"))


async def test_a_crash_before_an_append_leaves_it_out():
    assert await appended(2, "before") == (2, 1)


async def test_a_crash_after_an_append_keeps_it():
    assert await appended(2, "after") == (2, 2)


async def test_a_journal_without_a_point_never_crashes(monkeypatch):
    monkeypatch.setenv(POINT, "1:after")
    assert CrashingJournal.from_environment(MemoryJournal())._at == 1
    monkeypatch.delenv(POINT)
    journal = CrashingJournal.from_environment(MemoryJournal())
    lease = await journal.acquire("run", new=True)
    await journal.append(lease, [RunStarted(agent="a", input=[])])
    assert [row.run_id for row in await journal.runs()] == ["run"]
    assert len(await journal.read("run")) == 1
    await journal.release(lease)
    await journal.close()


@pytest.fixture
def finished(warm, place):
    assert warm.play(place, "once_policy") == [0]
    assert check(place, 0) == []
    return place


def add_effect(place, **changes):
    line = next(line for line in effects(place) if line["effect"].startswith("tool:"))
    with (place / "effects.log").open("a") as file:
        file.write(json.dumps(line | changes) + "\n")


def test_an_effect_that_was_repeated_is_found(finished):
    add_effect(finished)
    assert check(finished, 1) == [
        "a was performed 2 times and begun 1 times in the log",
        "a must run once and was performed 2 times",
    ]


def test_a_key_that_changed_is_found(finished):
    add_effect(finished, key="another")
    assert "a had several keys" in check(finished, 1)


def test_another_outcome_is_found(warm):
    expected = golden(warm, "plain")
    assert is_expected(expected, expected.outcome)
    assert not is_expected(expected, expected.outcome | {"output": "lost"})


async def test_an_append_that_was_acknowledged_and_is_not_there_is_found():
    run = CancelledRun(MemoryJournal(), random.Random(1))
    await run.begin("run")
    for _ in range(50):
        await run.append()
    run.acknowledged.append(50)
    assert await run.check() == ["what was acknowledged is lost"]
