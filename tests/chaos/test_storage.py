"""Damaged rows, a full disk, a power cut: named, waited out, survived."""

import asyncio
import random
import sqlite3
from contextlib import closing

import pytest
from chaoskit.harness import KILLED, check, effects, golden, is_expected, outcome_of
from chaoskit.scenarios import SPECIAL
from chaoskit.world import RUN, World

from outlast.core.errors import StorageFull


@pytest.mark.parametrize("place_in_log", [0, 1, 2])
def test_a_flipped_byte_is_named_and_nothing_is_performed(warm, place, place_in_log):
    expected = golden(warm, "plain")
    assert warm.play(place, "plain", f"{expected.appends // 2}:after") == [KILLED]
    before = effects(place)
    seq = flip_a_byte(place / "journal.db", place_in_log)
    assert warm.play(place, "plain") == [1]
    facts = outcome_of(place)
    assert facts["error"] == "JournalCorrupt"
    assert RUN in facts["text"]
    assert str(seq) in facts["text"]
    assert effects(place) == before


def flip_a_byte(file, number):
    """Change one bit in the body of a row; returns the position of its first event."""
    with closing(sqlite3.connect(file)) as db, db:
        rows = db.execute("SELECT place, body FROM log ORDER BY place").fetchall()
        key, body = rows[number]
        middle = len(body) // 2
        damaged = body[:middle] + bytes([body[middle] ^ 4]) + body[middle + 1 :]
        db.execute("UPDATE log SET body = ? WHERE place = ?", (damaged, key))
    return key & 0xFFFFFFFF


def test_a_full_disk_stops_a_run_that_goes_on_when_there_is_space(warm, tmp_path):
    expected = golden(warm, "bulky")

    async def fill_up_and_go_on():
        world = World(tmp_path)
        db = world.journal.inner.committer.db
        (used,) = db.execute("PRAGMA page_count").fetchone()
        stopped = 0
        for pages in range(used, used + 30, 2):
            # SQLite says then what it says when the disk has no page left.
            db.execute(f"PRAGMA max_page_count = {pages}")
            try:
                outcome = await SPECIAL["bulky"](world)
            except StorageFull:
                stopped += 1
            else:
                return stopped, outcome
        raise AssertionError("the disk is still full")

    stopped, outcome = asyncio.run(fill_up_and_go_on())
    assert stopped >= 3
    assert is_expected(expected, outcome)
    assert check(tmp_path, stopped) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_power_cut_takes_nothing_that_was_acknowledged(warm, place, seed):
    """What was written after the last sync may vanish, whole or in part; what was synced stays."""
    random_ = random.Random(seed)
    scenario = random_.choice(["plain", "parallel_tools", "once_policy", "session"])
    expected = golden(warm, scenario)
    point = f"{random_.randint(2, expected.appends)}:{random_.choice(['before', 'after'])}"
    warm.play(place, scenario, point, durability="power")
    cut_the_power(place, random_)
    assert warm.play(place, scenario, durability="power") == [0], outcome_of(place)
    assert is_expected(expected, outcome_of(place)["outcome"])
    assert check(place, 1) == []


def cut_the_power(place, random_):
    """Lose what the disk had not promised: the end of the write-ahead log, and what indexes it."""
    wal = place / "journal.db-wal"
    synced = int((place / "synced").read_text())
    size = wal.stat().st_size
    kept = random_.randint(min(synced, size), size)
    with wal.open("r+b") as file:
        file.truncate(kept)
    (place / "journal.db-shm").unlink(missing_ok=True)
