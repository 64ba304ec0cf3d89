"""Commands on their way to runs: kept once, in order, on disk, and heard of before a run ends."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast.core.commands import Cancel, Decide, Pause, RaiseLimit, Send
from outlast.core.errors import JournalCorrupt, RunConflict, RunHasEnded, RunNotFound
from outlast.core.events import RunCancelled, RunCompleted, RunFailed, RunStarted, StepRecorded
from outlast.core.records import ErrorFacts
from outlast.journal import Lease, MemoryJournal, SqliteJournal
from outlast.journal.journal import CommandWaits
from outlast.testing import CrashingJournal

JOURNALS = Path(__file__).parent.parent / "golden" / "journals"

STARTED = RunStarted("triage", [{"role": "user", "content": "hi"}])
FAILED = RunFailed(ErrorFacts("ValueError", "broken"))


def send(name: str, text: str = "and?") -> Send:
    return Send(id=name, items=[{"role": "user", "content": text}])


async def begin(journal: Any, run_id: str = "r") -> Lease:
    lease = await journal.acquire(run_id, new=True)
    await journal.append(lease, [STARTED])
    return lease


@pytest.fixture(params=["memory", "process", "power", "crashing"])
async def journal(request: Any, tmp_path: Path) -> Any:
    if request.param == "memory":
        made: Any = MemoryJournal()
    elif request.param == "crashing":
        made = CrashingJournal(MemoryJournal())
    else:
        made = SqliteJournal(tmp_path / "journal.db", durability=request.param)
    yield made
    await made.close()


async def test_commands_are_taken_in_the_order_in_which_they_were_posted_and_once(journal: Any):
    lease = await begin(journal)
    commands = [send("a"), Pause(id="b", by="grace"), Decide(id="c", call_id="x", approved=True)]
    for command in commands:
        await journal.post("r", command)
    assert list(journal.inbox.pending(lease)) == commands
    assert list(journal.inbox.pending(lease)) == []
    await journal.post("r", RaiseLimit(id="d", max_turns=9))
    assert [each.id for each in journal.inbox.pending(lease)] == ["d"]


async def test_a_command_that_is_posted_again_is_the_same_one(journal: Any):
    lease = await begin(journal)
    for at in (1.0, 2.0, 3.0):  # Whoever tries again does so later.
        await journal.post("r", Pause(id="a", by="grace", at=at))
    (one,) = journal.inbox.pending(lease)
    assert one.at == 1.0
    await journal.post("r", Pause(id="a", by="grace"))
    assert list(journal.inbox.pending(lease)) == []
    with pytest.raises(RunConflict, match="'a'"):
        await journal.post("r", Pause(id="a", by="bob"))


async def test_each_run_has_commands_of_its_own(journal: Any):
    leases = {name: await begin(journal, name) for name in ("r", "s")}
    await journal.post("r", send("a"))
    await journal.post("s", send("a", "other"))
    for name, text in (("r", "and?"), ("s", "other")):
        (one,) = journal.inbox.pending(leases[name])
        assert one.items[0]["content"] == text


async def test_whoever_takes_the_run_over_hears_of_all_commands_that_it_ever_had(journal: Any):
    lease = await begin(journal)
    await journal.post("r", send("a"))
    assert journal.inbox.pending(lease)
    await journal.release(lease)
    again = await journal.acquire("r")
    assert [each.id for each in journal.inbox.pending(again)] == ["a"]


async def test_a_run_that_is_not_there_is_told_nothing(journal: Any):
    with pytest.raises(RunNotFound, match="'r'"):
        await journal.post("r", send("a"))
    lease = await journal.acquire("r", new=True)
    with pytest.raises(RunNotFound):
        await journal.post("r", send("a"))
    assert list(journal.inbox.pending(lease)) == []


@pytest.mark.parametrize("end", [RunCompleted(), RunCancelled(), FAILED])
async def test_a_run_that_has_ended_is_told_nothing_that_would_change_nothing(
    journal: Any, end: Any
):
    lease = await begin(journal)
    await journal.append(lease, [end])
    commands = [send("a"), Pause(id="b"), Cancel(id="c"), RaiseLimit(id="d", max_turns=9)]
    for command in commands:
        if end is FAILED and command.id in "cd":
            await journal.post("r", command)
            continue
        with pytest.raises(RunHasEnded, match=r"'r' is .*\.$") as refused:
            await journal.post("r", command)
        assert refused.value.run_id == "r"
        assert refused.value.status in ("completed", "cancelled", "failed")


@pytest.mark.parametrize("end", [RunCompleted(), RunCancelled(), FAILED])
async def test_a_run_cannot_end_before_it_has_heard_of_every_command(journal: Any, end: Any):
    lease = await begin(journal)
    await journal.post("r", send("a"))
    before = await journal.read("r")
    with pytest.raises(CommandWaits):
        await journal.append(lease, [StepRecorded("t1.a", "step"), end])
    assert await journal.read("r") == before
    await journal.append(lease, [StepRecorded("t1.a", "step")])
    assert journal.inbox.pending(lease)
    await journal.append(lease, [end])
    assert len(await journal.read("r")) == 3


async def test_whoever_listens_is_told_at_once_of_what_this_process_posts(journal: Any):
    await begin(journal)
    await begin(journal, "s")
    rings: list[str] = []
    rang = asyncio.Event()

    def ring() -> None:
        rings.append("r")
        rang.set()

    ignore = journal.inbox.listen("r", ring)
    await journal.post("s", send("a"))
    await journal.post("r", send("a"))
    await rang.wait()
    ignore()
    before = list(rings)
    await journal.post("r", send("b"))
    await asyncio.sleep(0)
    assert rings == before


async def test_commands_go_with_their_run(journal: Any):
    if isinstance(journal, CrashingJournal):
        journal = journal.inner
    lease = await begin(journal)
    await journal.post("r", send("a"))
    journal.inbox.pending(lease)
    await journal.append(lease, [RunCompleted()])
    await journal.release(lease)
    await journal.delete("r")
    lease = await begin(journal)
    assert list(journal.inbox.pending(lease)) == []


# --- In a file. --------------------------------------------------------------------------


@pytest.fixture
async def kept(tmp_path: Path) -> Any:
    made = SqliteJournal(tmp_path / "journal.db", durability="process")
    yield made
    await made.close()


def changed(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    with db:
        for statement in statements:
            db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE inbox SET body = \'{"type":"cancel","id":"a"}\'',
        "UPDATE inbox SET at = at + 1",
        "UPDATE inbox SET id = 'b'",
        "UPDATE inbox SET version = 'x'",
        "UPDATE inbox SET run = 2",
    ],
)
async def test_a_command_that_is_not_what_was_posted_is_found_out(kept: Any, change: str):
    lease, other = await begin(kept), await begin(kept, "s")
    await kept.post("r", Pause(id="a"))
    changed(kept.path, change)
    with pytest.raises(JournalCorrupt, match="checksum"):
        _ = [kept.inbox.pending(each) for each in (lease, other)]


async def test_a_command_of_a_newer_version_is_left_to_that(kept: Any, tmp_path: Path):
    from outlast.journal import inbox

    lease = await begin(kept)
    body = b'{"type":"tomorrow","id":"new","cents":5}'
    crc = inbox._checksum("r", 1, "new", 7, 9, body)  # pyright: ignore[reportPrivateUsage]  # as a newer version writes it
    db = sqlite3.connect(kept.path)
    with db:
        db.execute("INSERT INTO inbox VALUES (1, 1, 'new', 7, 9, ?, ?)", (crc, body))
    db.close()
    await kept.post("r", Pause(id="a"))
    assert [each.id for each in kept.inbox.pending(lease)] == ["a"]
    await kept.append(lease, [RunCompleted()])  # It holds up nothing.


async def test_a_file_of_the_layout_without_an_inbox_gets_one(tmp_path: Path):
    path = tmp_path / "journal.db"
    path.write_bytes((JOURNALS / "layout4.db").read_bytes())
    journal = SqliteJournal(path, durability="process")
    await journal.post("waiting", Pause(id="a"))
    lease = await journal.acquire("waiting")
    assert [each.id for each in journal.inbox.pending(lease)] == ["a"]
    await journal.close()


def in_child(work: Any) -> int:
    """The exit status of a forked child that does some work."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
async def test_a_forked_child_posts_by_itself(kept: Any):
    lease = await begin(kept)
    kept.inbox.listen("r", lambda: None)
    assert in_child(lambda: kept.inbox.post("r", Pause(id="child"))) == 0
    assert [each.id for each in kept.inbox.pending(lease)] == ["child"]


POSTER = """
import asyncio, sys
from pathlib import Path
from outlast.core.commands import Send
from outlast.journal import SqliteJournal

async def main(path, name, count):
    journal = SqliteJournal(Path(path), durability="process")
    sys.stdin.readline()
    for n in range(count):
        await journal.post("r", Send(id=f"{name}{n}", items=[{"role": "user", "content": name}]))
        print(n, flush=True)
    await journal.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_what_several_processes_post_at_once_is_all_there_each_in_its_order(kept: Any):
    lease, count = await begin(kept), 100
    rang = asyncio.Event()
    kept.inbox.listen("r", rang.set)
    posters = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", POSTER, str(kept.path), name, str(count),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for name in "ab"
    ]  # fmt: skip
    work = asyncio.gather(*(poster.communicate(b"go\n") for poster in posters))
    found: list[str] = []
    while len(found) < 2 * count:
        await rang.wait()
        rang.clear()
        found += [each.id for each in kept.inbox.pending(lease)]
    await work
    for name in "ab":
        mine = [each for each in found if each[0] == name]
        assert mine == [f"{name}{n}" for n in range(count)]
