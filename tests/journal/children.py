"""What other processes do in the tests of the journal: `python children.py <what> <path> …`."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from pathlib import Path

from outlast.core.errors import AlreadyRunning, Fenced
from outlast.core.events import RunStarted, StepRecorded
from outlast.journal import SqliteJournal


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())  # Not buffered: what was said before a SIGKILL was said.


def wait_for_line() -> str:
    return sys.stdin.readline()


async def append_until_killed(path: Path, durability: str, run_id: str, writers: str) -> None:
    """Say each number after it was acknowledged."""
    journal = SqliteJournal(path, durability=durability)
    journal.committer.checkpoint_bytes = 200_000

    async def write(name: str) -> None:
        lease = await journal.acquire(name, new=True)
        await journal.append(lease, [RunStarted("a", [])])
        for n in range(1_000_000):
            await journal.append(lease, [StepRecorded("t", "unsure")], barrier=False)
            await journal.append(lease, [StepRecorded("t", "s", result=n), StepRecorded("t", "t")])
            say(f"{name} {n}")

    await asyncio.gather(*(write(f"{run_id}-{n}") for n in range(int(writers))))


async def hold(path: Path, run_id: str, beat_s: str = "3") -> None:
    """Acquire, then append once more for each line, saying how it went."""
    journal = SqliteJournal(path, durability="process", beat_s=float(beat_s))
    lease = await journal.acquire(run_id, new=True)
    await journal.append(lease, [RunStarted("a", [])])
    say("held")
    while wait_for_line():
        try:
            await journal.append(lease, [StepRecorded("t", "s")])
            say("appended")
        except Fenced:
            say("fenced")


async def race(path: Path, rounds: str) -> None:
    """Acquire run after run at the moment that the parent says; append under it."""
    journal = SqliteJournal(path, durability="process")
    for n in range(int(rounds)):
        say("ready")
        at = float(wait_for_line())
        while time.time() < at:
            pass
        try:
            lease = await journal.acquire(f"r{n}")
            await journal.append(lease, [StepRecorded("t", "s", result=os.getpid())])
            say("won")
        except AlreadyRunning:
            say("lost")


async def race_to_begin(path: Path, rounds: str) -> None:
    journal = SqliteJournal(path, durability="process")
    for n in range(int(rounds)):
        say("ready")
        at = float(wait_for_line())
        while time.time() < at:
            pass
        try:
            lease = await journal.acquire(f"r{n}", new=True)
            await journal.append(lease, [RunStarted("a", [])])
            say("won")
        except AlreadyRunning:
            say("lost")


async def first_open(folder: Path, count: str, at: str) -> None:
    while time.time() < float(at):
        pass
    for n in range(int(count)):
        journal = SqliteJournal(folder / str(n) / "journal.db", durability="process")
        lease = await journal.acquire(f"r{os.getpid()}", new=True)
        await journal.append(lease, [RunStarted("a", [])])
        await journal.close()
    say("done")


def lock(path: Path, seconds: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    say("locked")
    time.sleep(float(seconds))
    db.execute("ROLLBACK")
    db.close()


async def append_later(path: Path, run_id: str) -> None:
    """Append one event for each line."""
    journal = SqliteJournal(path, durability="process")
    lease = await journal.acquire(run_id)
    say("held")
    while line := wait_for_line():
        await journal.append(lease, [StepRecorded("t", "s", result=line.strip())])


if __name__ == "__main__":
    what = {
        each.__name__: each
        for each in (
            append_until_killed,
            hold,
            race,
            race_to_begin,
            first_open,
            lock,
            append_later,
        )
    }
    work = what[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
    if work is not None:
        asyncio.run(work)
