"""Who held a run in a loop that is gone holds it no more, wherever somebody asks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import STARTED, begin, names, step

from outlast.core.errors import AlreadyRunning, Fenced
from outlast.journal import Lease, MemoryJournal, SqliteJournal

AnyJournal = SqliteJournal | MemoryJournal
Work = Callable[[], Coroutine[Any, Any, None]]


DURABILITIES = ("power", "process", "memory")


@pytest.fixture(params=DURABILITIES)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    journal = SqliteJournal(tmp_path / "journal.db", durability=request.param)
    yield journal
    journal.shut()


Lose = Callable[[Work], None]
_open: list[asyncio.AbstractEventLoop] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Loops that somebody forgot live as long as the test."""
    yield
    while _open:
        _open.pop().close()


def in_a_loop_that_is_closed(work: Work) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(work())
    loop.close()


def in_a_loop_whose_thread_ends(work: Work) -> None:
    loop = asyncio.new_event_loop()
    _open.append(loop)
    thread = threading.Thread(target=lambda: loop.run_until_complete(work()))
    thread.start()
    thread.join()


LOOPS = [in_a_loop_that_is_closed, in_a_loop_whose_thread_ends]
gone = pytest.mark.parametrize("lose", LOOPS, ids=["closed", "thread"])


def left(journal: AnyJournal, lose: Lose) -> Lease:
    """A run whose lease somebody still has, and whose loop nobody runs."""
    leases: list[Lease] = []

    async def work() -> None:
        leases.append(await begin(journal))

    lose(work)
    return leases[0]


async def add(journal: AnyJournal, lease: Lease, n: int) -> None:
    await journal.append(lease, [step(n)])


@gone
def test_its_run_can_be_acquired(journal: AnyJournal, lose: Lose):
    lost = left(journal, lose)

    async def main() -> None:
        taken = await journal.acquire("r")
        assert taken.epoch == 2
        with pytest.raises(Fenced):
            await journal.append(lost, [step(1)])
        await journal.append(taken, [step(2)])
        assert await names(journal) == [2]

    asyncio.run(main())


@gone
def test_a_new_run_that_it_never_wrote_to_can_begin(journal: AnyJournal, lose: Lose):
    leases: list[Lease] = []

    async def work() -> None:
        leases.append(await journal.acquire("r", new=True))

    lose(work)

    async def main() -> None:
        lease = await journal.acquire("r", new=True)
        await journal.append(lease, [STARTED])

    asyncio.run(main())


@gone
def test_nobody_says_that_the_run_is_held(journal: AnyJournal, lose: Lose):
    lost = left(journal, lose)
    assert not journal.holds_runs()

    async def main() -> None:
        (run,) = await journal.runs()
        assert (run.status, run.owner_alive) == ("running", False)
        assert (await journal.prune(older_than_s=-1, statuses=["running"])).run_ids == ("r",)

    asyncio.run(main())
    assert lost


@gone
def test_its_run_can_be_deleted(journal: AnyJournal, lose: Lose):
    lost = left(journal, lose)
    assert asyncio.run(journal.delete("r", force=True)).run_ids == ("r",)
    assert lost


def test_a_loop_that_is_only_not_running_keeps_its_runs(journal: AnyJournal):
    loop = asyncio.new_event_loop()
    lease = loop.run_until_complete(begin(journal))
    assert journal.holds_runs()
    with pytest.raises(AlreadyRunning):
        asyncio.run(journal.acquire("r"))
    loop.run_until_complete(add(journal, lease, 1))
    assert loop.run_until_complete(names(journal)) == [1]
    loop.close()


def test_an_append_that_a_closed_loop_still_waited_for_harms_nobody(journal: AnyJournal):
    leases: list[Lease] = []
    loop = asyncio.new_event_loop()
    leases += [loop.run_until_complete(begin(journal, name)) for name in ("r", "s")]
    tasks = [loop.create_task(add(journal, lease, 1)) for lease in leases]
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()

    async def main() -> list[int]:
        taken = await journal.acquire("r")
        await journal.append(taken, [step(2)])
        return await names(journal)

    assert asyncio.run(main()) in ([2], [1, 2])
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is the point


def test_a_run_goes_on_in_another_loop(tmp_path: Path):
    script = Path(__file__).with_name("loop_children.py")
    command = [sys.executable, "-W", "ignore", str(script)]
    told = subprocess.run(
        command, check=True, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    ways = [f"{kind} {durability}" for durability in DURABILITIES for kind in ("closed", "thread")]
    assert told.stdout.splitlines() == [f"{way}: done after 2 calls" for way in ways]
