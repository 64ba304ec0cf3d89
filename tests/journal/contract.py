"""What every journal must do. Subclass `JournalContract` and give it a `journal` fixture."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from outlast.core.errors import (
    AgentsException,
    AlreadyRunning,
    Fenced,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    RunNotFound,
)
from outlast.core.events import (
    EffectStarted,
    RunCompleted,
    RunReopened,
    RunStarted,
    StepRecorded,
    TimerFired,
    UnknownEvent,
)
from outlast.journal import Journal, Lease
from outlast.journal.journal import NotStorable

STARTED = RunStarted("triage", [{"role": "user", "content": "hi"}])


def step(n: int) -> StepRecorded:
    return StepRecorded("t1.a", f"step {n}", result=n)


async def begin(journal: Journal, run_id: str = "r") -> Lease:
    lease = await journal.acquire(run_id, new=True)
    await journal.append(lease, [STARTED])
    return lease


async def names(journal: Journal, run_id: str = "r", after: int = -1) -> list[int]:
    """The numbers of the steps in a log."""
    stored = await journal.read(run_id, after=after)
    return [each.event.result for each in stored if isinstance(each.event, StepRecorded)]


class JournalContract:
    async def test_what_was_appended_is_read_back_in_order(self, journal: Journal):
        lease = await begin(journal)
        await journal.append(lease, [step(1), step(2)])
        await journal.append(lease, [step(3)])
        stored = await journal.read("r")
        assert [each.event for each in stored] == [STARTED, step(1), step(2), step(3)]
        assert [each.seq for each in stored] == [0, 1, 2, 3]
        assert {each.epoch for each in stored} == {1}
        assert stored[0].at <= stored[-1].at
        assert lease.head == 4

    @pytest.mark.parametrize("after", range(-1, 7))
    async def test_reading_starts_at_any_position(self, journal: Journal, after: int):
        lease = await begin(journal)
        await journal.append(lease, [step(1), step(2), step(3)])
        await journal.append(lease, [step(4), step(5)])
        stored = await journal.read("r", after=after)
        assert [each.seq for each in stored] == list(range(after + 1, 6))

    async def test_a_run_that_is_not_there_is_not_found(self, journal: Journal):
        with pytest.raises(RunNotFound):
            await journal.acquire("nobody")
        with pytest.raises(RunNotFound):
            await journal.read("nobody")

    async def test_a_new_run_is_not_there_before_its_first_append(self, journal: Journal):
        lease = await journal.acquire("r", new=True)
        with pytest.raises(RunNotFound):
            await journal.read("r")
        assert not await journal.runs()
        await journal.release(lease)
        assert not await journal.runs()

    async def test_a_run_has_one_holder(self, journal: Journal):
        lease = await begin(journal)
        with pytest.raises(AlreadyRunning):
            await journal.acquire("r")
        with pytest.raises(AlreadyRunning):
            await journal.acquire("r", new=True)
        await journal.release(lease, waits=True)
        assert (await journal.acquire("r")).epoch == 2

    async def test_of_many_that_acquire_at_once_one_succeeds(self, journal: Journal):
        await journal.release(await begin(journal))
        tries = [journal.acquire("r") for _ in range(20)]
        found = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(each, Lease) for each in found) == 1
        assert sum(isinstance(each, AlreadyRunning) for each in found) == 19

    async def test_a_lease_that_nobody_has_any_more_holds_nothing(self, journal: Journal):
        lease = await begin(journal)
        del lease
        again = await journal.acquire("r")
        assert (again.epoch, again.head) == (2, 1)

    async def test_an_id_that_exists_is_no_new_run(self, journal: Journal):
        await journal.release(await begin(journal))
        with pytest.raises(AlreadyRunning):
            await journal.append(await journal.acquire("r", new=True), [STARTED])
        assert len(await journal.read("r")) == 1

    async def test_who_lost_a_run_cannot_append(self, journal: Journal):
        lost = await begin(journal)
        taken = await journal.acquire("r", force=True)
        for _ in range(2):
            with pytest.raises(Fenced, match="'r'"):
                await journal.append(lost, [step(1)])
        await journal.release(lost, waits=True)
        await journal.append(taken, [step(2)])
        assert await names(journal) == [2]
        assert (await journal.runs())[0].status == "running"

    async def test_a_log_goes_on_where_it_ended(self, journal: Journal):
        lease = await begin(journal)
        await journal.release(lease, waits=True)
        lease = await journal.acquire("r")
        assert lease.head == 1
        await journal.append(lease, [step(1)])
        assert [each.epoch for each in await journal.read("r")] == [1, 2]

    async def test_the_status_follows_the_log(self, journal: Journal):
        async def status() -> str:
            (run,) = await journal.runs()
            return run.status

        lease = await begin(journal)
        assert await status() == "running"
        await journal.release(lease, waits=True)
        assert await status() == "waiting"
        lease = await journal.acquire("r")
        assert await status() == "running"
        await journal.append(lease, [RunCompleted()])
        assert await status() == "completed"
        await journal.append(lease, [RunReopened()])
        assert await status() == "running"
        await journal.append(lease, [step(1), RunCompleted()])
        await journal.release(lease)
        assert await status() == "completed"

    async def test_runs_are_listed_newest_first(self, journal: Journal):
        first = await begin(journal, "first")
        second = await journal.acquire("second", new=True)
        await journal.append(second, [RunStarted("clerk", [], parent="first"), step(1)])
        await journal.append(first, [step(1), RunCompleted()])
        await journal.release(first)
        newest, oldest = await journal.runs()
        assert (newest.run_id, newest.agent, newest.parent) == ("second", "clerk", "first")
        assert (newest.status, newest.events, newest.owner_alive) == ("running", 2, True)
        assert (oldest.status, oldest.events, oldest.owner_alive) == ("completed", 3, False)
        assert oldest.created_at <= oldest.updated_at
        assert [run.run_id for run in await journal.runs(status="completed")] == ["first"]
        assert not await journal.runs(status="failed")

    async def test_appends_of_one_run_are_stored_in_the_order_of_the_calls(self, journal: Journal):
        lease = await begin(journal)
        others = [await begin(journal, f"other {n}") for n in range(5)]
        waiting = []
        for n in range(0, 30, 3):
            waiting += [
                journal.append(lease, [step(n)]),
                journal.append(lease, [step(n + 1)], barrier=False),
                journal.append(lease, [step(n + 2)]),
                *(journal.append(other, [step(n)]) for other in others),
            ]
        for each in waiting:
            await each
        assert await names(journal) == list(range(30))
        assert lease.head == 31

    async def test_of_runs_that_append_at_once_only_the_fenced_fail(self, journal: Journal):
        leases = [await begin(journal, f"r{n}") for n in range(100)]
        taken = [await journal.acquire(f"r{n}", force=True) for n in range(0, 100, 10)]

        async def write(lease: Lease) -> bool:
            try:
                await journal.append(lease, [step(1)])
                await journal.append(lease, [step(2)])
            except Fenced:
                return False
            return True

        wrote = await asyncio.gather(*(write(lease) for lease in leases))
        assert [n for n in range(100) if not wrote[n]] == list(range(0, 100, 10))
        assert await names(journal, "r11") == [1, 2]
        assert await names(journal, "r10") == []
        assert len(taken) == 10

    async def test_events_without_a_barrier_are_read_and_released(self, journal: Journal):
        lease = await begin(journal)
        await journal.append(lease, [step(1)], barrier=False)
        await asyncio.sleep(0.15)  # Longer than they may linger.
        await journal.append(lease, [step(2)], barrier=False)
        await journal.release(lease, waits=True)
        assert await names(journal) == [1, 2]
        assert (await journal.acquire("r")).head == 3

    async def test_events_of_a_newer_version_are_kept_as_they_are(self, journal: Journal):
        lease = await begin(journal)
        body = {"type": "moon.landed", "id": "x", "deep": {"er": [1, None, "é"]}}
        await journal.append(lease, [UnknownEvent("moon.landed", body), step(1)])
        assert (await journal.read("r"))[1].event == UnknownEvent("moon.landed", body)
        assert await names(journal) == [1]

    async def test_text_that_is_not_unicode_is_mended(self, journal: Journal):
        lease = await begin(journal)
        await journal.append(lease, [StepRecorded("t", "n", result=["a\ud800b", "\U0001f600"])])
        (stored,) = await journal.read("r", after=0)
        assert stored.event.result == ["a\ufffdb", "\U0001f600"]

    async def test_what_json_cannot_say_is_refused_and_harms_nothing(self, journal: Journal):
        lease = await begin(journal)
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        for bad in (object(), {object(): 1}, deep):
            with pytest.raises(NotStorable, match="event holds what") as raised:
                await journal.append(lease, [step(1), StepRecorded("t", "n", result=bad)])
            assert isinstance(raised.value, JournalError)
            assert isinstance(raised.value, TypeError)
        await journal.append(lease, [step(2)])
        assert await names(journal) == [2]

    async def test_a_cancelled_append_is_written_whole_or_not_at_all(self, journal: Journal):
        lease = await begin(journal)
        others = [await begin(journal, f"other {n}") for n in range(3)]

        async def write(n: int) -> None:
            await journal.append(lease, [step(n), step(n)])

        for n in range(100):
            task = asyncio.create_task(write(n))
            for other in others:
                await journal.append(other, [step(n)])
            if n % 3:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await journal.append(lease, [step(100)])
        written = await names(journal)
        assert written[:-1:2] == written[1:-1:2] == sorted(set(written[:-1]))
        assert set(range(0, 100, 3)) <= set(written)
        assert lease.head == len(await journal.read("r"))

    async def test_no_events_are_no_append(self, journal: Journal):
        lease = await begin(journal)
        for _ in range(2):
            await journal.append(lease, [])
        assert lease.head == len(await journal.read("r")) == 1

    async def test_a_blob_is_named_by_its_content(self, journal: Journal):
        lease = await begin(journal)
        name = journal.blobs.put(b"instructions" * 1000)
        assert journal.blobs.get(name) == b"instructions" * 1000
        await journal.append(lease, [step(1)])
        assert journal.blobs.put(b"instructions" * 1000) == name
        assert journal.blobs.put(b"other") != name
        await journal.append(lease, [step(2)])
        assert journal.blobs.get(name) == b"instructions" * 1000
        with pytest.raises(JournalCorrupt, match="no blob"):
            journal.blobs.get("0" * 40)

    async def test_a_watcher_sees_what_is_there_and_what_comes(self, journal: Journal):
        lease = await begin(journal)
        await journal.append(lease, [step(1)])
        watcher = journal.watch("r", after=0)
        assert (await anext(watcher)).event == step(1)
        following = asyncio.ensure_future(anext(watcher))
        await asyncio.sleep(0)
        await journal.append(lease, [step(2), step(3)])
        assert (await asyncio.wait_for(following, 60)).event == step(2)
        assert (await anext(watcher)).seq == 3
        await watcher.aclose()

    async def test_a_watcher_of_no_run_is_told_so(self, journal: Journal):
        with pytest.raises(RunNotFound):
            await anext(journal.watch("nobody"))

    async def test_every_error_is_one_of_ours(self, journal: Journal):
        lease = await begin(journal)
        await journal.acquire("r", force=True)
        with pytest.raises(AgentsException) as raised:
            await journal.append(lease, [EffectStarted("m1", "model"), TimerFired("x")])
        assert (raised.value.run_id, raised.value.seq) == ("r", 1)

    async def test_a_long_log_is_read_whole(self, journal: Journal):
        lease = await begin(journal)
        events = iter(step(n) for n in range(1000))
        while batch := list(islice(events, 7)):
            await journal.append(lease, batch)
        assert await names(journal) == list(range(1000))

    async def test_who_uses_a_closed_journal_is_told_so(self, journal: Journal):
        lease, waits = await begin(journal), await journal.acquire("new", new=True)
        await journal.close()
        for open_run in (lease, waits):
            with pytest.raises(JournalUnavailable, match="closed") as raised:
                await journal.append(open_run, [STARTED])
            assert raised.value.run_id == open_run.run_id
            await journal.release(open_run)

    async def test_a_start_that_was_cancelled_holds_nothing(self, journal: Journal):
        await journal.release(await begin(journal))
        for _ in range(20):
            start = asyncio.ensure_future(journal.acquire("r"))
            await asyncio.sleep(0)
            start.cancel()
            done = (await asyncio.gather(start, return_exceptions=True))[0]
            if isinstance(done, Lease):
                await journal.release(done)
        del start, done
        await asyncio.sleep(0.2)
        (run,) = await journal.runs()
        assert not run.owner_alive
        await journal.append(await journal.acquire("r"), [step(1)])

    async def test_runs_are_listed_by_page(self, journal: Journal):
        for n in range(7):
            await journal.release(await begin(journal, f"r{n}"), waits=n % 2 == 0)
        assert [run.run_id for run in await journal.runs(limit=3)] == ["r6", "r5", "r4"]
        page = await journal.runs(limit=3, before="r4")
        assert [run.run_id for run in page] == ["r3", "r2", "r1"]
        waiting = await journal.runs(status="waiting", limit=2, before="r6")
        assert [run.run_id for run in waiting] == ["r4", "r2"]
        with pytest.raises(RunNotFound):
            await journal.runs(before="nobody")
