"""Listing runs by what is known of them, and following what changes."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from outlast.core.errors import JournalCorrupt
from outlast.core.events import RunCancelled, RunCompleted, RunReopened, RunStarted
from outlast.core.identity import RunMetadata
from outlast.journal import MemoryJournal, RunSummary, SqliteJournal
from outlast.journal.journal import fits

AnyJournal = SqliteJournal | MemoryJournal


@pytest.fixture(params=["sqlite", "memory"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnyJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    journal = SqliteJournal(tmp_path / "journal.db", durability="process")
    yield journal
    await journal.close()


async def begin(
    journal: AnyJournal, run_id: str, agent: str = "desk", parent: str = "", **whose: Any
) -> Any:
    lease = await journal.acquire(run_id, new=True)
    started = RunStarted(agent, [], parent=parent, metadata=RunMetadata(**whose))
    await journal.append(lease, [started])
    return lease


async def a_hundred(journal: AnyJournal) -> list[RunSummary]:
    for n in range(100):
        whose = {"user": f"u{n % 7}", "tenant": f"t{n % 2}", "tags": ("vip", "vip", f"g{n % 5}")}
        about = whose if n % 4 else {}
        lease = await begin(journal, f"r{n:02}", f"a{n % 3}", "r00" if n % 10 == 1 else "", **about)
        if n % 3:
            await journal.append(lease, [RunCompleted()])
        await journal.release(lease, waits=n % 6 == 0)
    return list(await journal.runs())


FILTERS: dict[str, list[Any]] = {
    "status": [None, "completed", "waiting", "running", "failed"],
    "agent": [None, "a1", "nobody"],
    "user": [None, "u3", "nobody"],
    "tenant": [None, "t1"],
    "tag": [None, "vip", "g2"],
    "roots_only": [False, True],
    "run_id_starts": [None, "r1", "r17", "x"],
}


async def test_any_filters_together_find_what_each_run_says_of_itself(journal: AnyJournal):
    runs = await a_hundred(journal)
    assert len(runs) == 100
    for values in product(*FILTERS.values()):
        which = dict(zip(FILTERS, values, strict=True))
        others: Any = {name: value for name, value in which.items() if name != "status"}
        expected = [run for run in runs if fits(run, which["status"], others)]
        assert list(await journal.runs(**which)) == expected, which
        changes = await journal.changes(limit=1000, **which)
        assert {change.run for change in changes} == {*expected}
    assert await journal.runs(session_id="s") == []


async def test_any_filters_are_paged_without_a_gap(journal: AnyJournal):
    await a_hundred(journal)
    for which in ({"status": "completed"}, {"tag": "vip"}, {"agent": "a1", "user": "u3"}, {}):
        asked: Any = which
        whole = list(await journal.runs(**asked))
        paged: list[RunSummary] = []
        while page := await journal.runs(
            limit=3, before=paged[-1].run_id if paged else None, **asked
        ):
            paged += page
        assert paged == whole


async def test_runs_are_found_by_when_they_began(journal: AnyJournal):
    runs = await a_hundred(journal)
    middle = runs[40].created_at
    later = list(await journal.runs(began_since=middle))
    assert later == [run for run in runs if run.created_at >= middle]
    assert list(await journal.runs(began_before=middle)) == [
        run for run in runs if run not in later
    ]
    for far in (-1e18, 1e18):
        assert len(await journal.runs(began_since=far)) == (100 if far < 0 else 0)
        assert len(await journal.runs(began_before=far)) == (0 if far < 0 else 100)


@pytest.mark.parametrize("name", ["", " ", "a\0b", "%", "\U0010ffff", "'; --", "day", "x" * 5000])
async def test_any_text_is_a_label(journal: AnyJournal, name: str):
    await begin(journal, "one", name, user=name, tenant=name, session_id=name, tags=(name,))
    await begin(journal, "two", "other", user="other", tenant="other", session_id="o", tags=("o",))
    await begin(journal, "three", "other")
    filters: list[Any] = [{kind: name} for kind in ("agent", "user", "tenant", "session_id", "tag")]
    for which in filters:
        assert [run.run_id for run in await journal.runs(**which)] == ["one"]
        assert [run.run_id for run in await journal.runs(status="running", **which)] == ["one"]


async def test_a_run_stands_in_the_feed_where_it_changed_last(journal: AnyJournal):
    one = await begin(journal, "one")
    two = await begin(journal, "two")
    first = await journal.changes()
    assert [change.run.run_id for change in first] == ["one", "two"]
    seen = first[-1].place
    assert await journal.changes(seen) == []
    await journal.append(one, [RunCompleted()])
    (change,) = await journal.changes(seen)
    assert (change.run.run_id, change.run.status) == ("one", "completed")
    await journal.append(one, [RunReopened()])
    await journal.release(two, waits=True)
    assert [(each.run.run_id, each.run.status) for each in await journal.changes(change.place)] == [
        ("one", "running"),
        ("two", "waiting"),
    ]
    await journal.release(one)
    await journal.acquire("two")
    assert [each.run.run_id for each in await journal.changes(seen)] == ["one", "two"]
    assert [each.run.run_id for each in await journal.changes()] == ["one", "two"]


async def test_a_place_in_the_feed_is_not_used_again_after_the_last_run_was_deleted(
    journal: AnyJournal,
):
    await begin(journal, "one")
    two = await begin(journal, "two")
    await journal.append(two, [RunCompleted()])
    await journal.release(two)
    place = (await journal.changes())[-1].place
    await journal.delete("two")
    await begin(journal, "three")
    assert [each.run.run_id for each in await journal.changes(place)] == ["three"]


async def test_who_follows_the_feed_by_page_misses_nothing_that_happens_meanwhile(
    journal: AnyJournal,
):
    known: dict[str, str] = {}
    place = 0

    async def follow() -> None:
        nonlocal place
        while page := await journal.changes(place, limit=2):
            place = page[-1].place
            known.update({each.run.run_id: each.run.status for each in page})
            await asyncio.sleep(0)

    async def work(n: int) -> None:
        lease = await begin(journal, f"r{n}")
        await asyncio.sleep(0)
        await journal.append(lease, [RunCompleted() if n % 2 else RunCancelled()])
        await journal.release(lease)

    await asyncio.gather(*(work(n) for n in range(20)), *(follow() for _ in range(1)))
    await follow()
    assert known == {run.run_id: run.status for run in await journal.runs()}


def damaged(sql: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.executescript(sql)

    return damage


DAMAGES = {
    "a label": "DELETE FROM label WHERE kind = 'user' AND run = 6;"
    " INSERT INTO tally VALUES ('user', 'u5', 1, NULL, NULL) ON CONFLICT DO UPDATE SET runs = runs + 1",
    "a label of another": "UPDATE label SET value = 'u4' WHERE kind = 'user' AND run = 6",
    "a tally": "UPDATE tally SET runs = 3 WHERE kind = 'user' AND value = 'u4'",
    "a tally of another": "UPDATE tally SET value = 'u9' WHERE kind = 'user' AND value = 'u4'",
    "the feed": "DELETE FROM feed WHERE place = 5",
    "the list": "UPDATE tally SET runs = runs + 1 WHERE kind = 'status' AND value = 'completed'",
    "a row": "UPDATE run SET metadata = replace(metadata, 'u5', 'u6') WHERE number = 6",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_list_that_has_lost_a_run_is_not_taken_for_a_shorter_one(
    tmp_path: Path, damage: str
):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path, durability="process")
    await a_hundred(journal)
    await journal.close()
    damaged(damage)(path)
    journal = SqliteJournal(path, durability="process")
    refused = 0
    for asks in (
        journal.runs,
        lambda: journal.runs(user="u4"),
        lambda: journal.runs(user="u5"),
        lambda: journal.runs(status="completed"),
        journal.changes,
    ):
        try:
            await asks()
        except JournalCorrupt:
            refused += 1
    assert refused
    await journal.close()


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["begin", "end", "wait", "take", "delete"])),
    max_size=30,
)


async def act(journal: SqliteJournal, leases: dict[str, Any], run_id: str, name: str) -> None:
    lease, is_there = leases.get(run_id), bool(await journal.runs(user=run_id))
    if name == "begin" and not is_there:
        leases[run_id] = await begin(journal, run_id, user=run_id, tags=("x", run_id))
    elif name == "end" and lease:
        event = RunReopened() if lease.status == "completed" else RunCompleted()
        await journal.append(lease, [event])
    elif name == "wait" and lease:
        await journal.release(leases.pop(run_id), waits=True)
    elif name == "take" and is_there and not lease:
        leases[run_id] = await journal.acquire(run_id)
    elif name == "delete" and is_there and not lease:
        await journal.delete(run_id, force=True)


async def check(path: Path, steps: list[tuple[str, str]]) -> None:
    journal = SqliteJournal(path, durability="process")
    leases: dict[str, Any] = {}
    for run_id, name in steps:
        await act(journal, leases, run_id, name)
    await journal.close()
    again = SqliteJournal(path, durability="process")
    runs = await again.runs()
    for status in {run.status for run in runs}:
        assert await again.runs(status=status) == [run for run in runs if run.status == status]
    for run in runs:
        assert await again.runs(user=run.run_id) == [run]
    assert len(await again.runs(tag="x")) == len(runs) == len(await again.changes())
    assert len(await again.runs(began_since=0)) == len(runs)
    await again.close()


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_the_tables_agree_whatever_happens(steps: list[tuple[str, str]]):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder) / "journal.db", steps))
