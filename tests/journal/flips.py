"""Flip random bits in journals of any size, and ask them everything: an error or the right answer.

    python tests/journal/flips.py [--flips 2000] [--seed 1] [--largest 64]

A flip is silently wrong if any question has another answer than before it. The questions: the list of
runs, whole, by page and by status; the log of runs; the last event behind a position; blobs; taking a
run over; beginning a run whose id is taken; and whether an unknown id is unknown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from outlast.core.errors import AgentsException, RunNotFound
from outlast.core.events import ErrorFacts, RunCompleted, RunFailed, RunStarted, StepRecorded
from outlast.core.identity import RunMetadata
from outlast.journal import SqliteJournal

FILES = ("journal.db", "journal.db-wal", "journal.db-mark")


async def fill(folder: Path, mib: float, seed: int) -> None:
    """A journal of about that size, whose process never closes it."""
    random_ = random.Random(seed)
    journal = SqliteJournal(folder / "journal.db", durability="process")
    size = written = 0
    number = 0
    blobs: list[str] = []
    while written < mib * 2**20 * 0.8:
        run_id = f"order-{number}"
        lease = await journal.acquire(run_id, new=True)
        metadata = RunMetadata(user=f"user-{number % 7}")
        parent = f"order-{number - 1}" if number % 10 == 9 else ""
        started = RunStarted("desk", [{"role": "user", "content": "x" * 50}], parent=parent)
        if number % 3 == 0:
            started = RunStarted("clerk", [{"role": "user", "content": "hi"}], metadata=metadata)
        elif number % 5 == 0:  # A chat, parts of whose history stand elsewhere.
            history = [{"role": "user", "content": f"question {n}"} for n in range(number % 80)]
            started = RunStarted("desk", history, parent=parent)
        if number % 20 == 0:
            blobs.append(journal.blobs.put(random_.randbytes(random_.choice([300, 9000]))))
        await journal.append(lease, [started])
        for n in range(random_.randint(1, 12)):
            size = random_.choice([40, 300, 300, 2000, 2000, 30_000 if mib > 1 else 3000])
            await journal.append(lease, [StepRecorded("t", f"s{n}", result="y" * size)])
            written += size + 150
        end = (None, RunCompleted(), RunFailed(ErrorFacts("X", "no")))[number % 3]
        if end is not None:
            await journal.append(lease, [end])
        await journal.release(lease, waits=number % 6 == 0)
        number += 1
    (folder / "facts.json").write_text(json.dumps({"runs": number, "blobs": blobs}))
    if os.environ.get("FLIPS_CLOSE") == "1":
        await journal.close()
    os._exit(0)


def questions(  # noqa: C901  # a list of small questions
    journal: SqliteJournal, facts: dict[str, Any], seed: int
) -> dict[str, Any]:
    """What is asked, by name. Those of one seed are the same for the sound and the damaged file."""
    random_ = random.Random(seed)
    count = facts["runs"]
    numbers = [0, count - 1, *(random_.randrange(count) for _ in range(6))]

    async def log(n: int) -> object:
        return [(s.seq, s.at, s.epoch, s.event) for s in await journal.read(f"order-{n}")]

    async def end(n: int) -> object:
        return [s.event for s in await journal.read(f"order-{n}", after=2)]

    async def listed(**which: Any) -> object:
        return [run._replace(owner_alive=False) for run in await journal.runs(**which)]

    async def page() -> object:
        return [run.run_id for run in await journal.runs(limit=20, before=f"order-{count // 2}")]

    async def blob(name: str) -> object:
        return journal.blobs.get(name)

    async def unknown(n: int) -> object:
        try:
            return await journal.read(f"nobody-{n}")
        except RunNotFound:
            return "unknown"

    async def again(n: int) -> object:
        lease = await journal.acquire(f"order-{n}", new=True)
        try:
            await journal.append(lease, [RunStarted("thief", [])])
        except AgentsException as error:
            return type(error).__name__
        return "begun a second time"

    async def taken(n: int) -> object:
        lease = await journal.acquire(f"order-{n}", force=True)
        return (lease.head, lease.status, len(await journal.read(f"order-{n}")))

    asked: dict[str, Callable[[], Awaitable[object]]] = {"list": listed}
    for status in ("running", "waiting", "completed", "failed"):
        asked[f"list {status}"] = lambda status=status: listed(status=status)
    asked["page"] = page
    for n in numbers:
        asked[f"log {n}"] = lambda n=n: log(n)
        asked[f"end {n}"] = lambda n=n: end(n)
        asked[f"unknown {n}"] = lambda n=n: unknown(n)
    for name in facts["blobs"][:3] + facts["blobs"][-3:]:
        asked[f"blob {name[:6]}"] = lambda name=name: blob(name)
    for n in numbers[:4]:
        asked[f"again {n}"] = lambda n=n: again(n)
    for n in numbers[4:]:
        asked[f"taken {n}"] = lambda n=n: taken(n)
    return asked


async def answers(folder: Path, facts: dict[str, Any], seed: int) -> dict[str, object]:
    """The answer to each question; an error of ours is one that is always right."""
    try:
        journal = SqliteJournal(folder / "journal.db", durability="process", busy_s=0.2)
    except AgentsException as error:
        return {"open": error}
    told: dict[str, object] = {"open": None}
    for name, ask in questions(journal, facts, seed).items():
        try:
            told[name] = await ask()
        except AgentsException as error:
            told[name] = error
    try:
        await journal.close()
    except AgentsException as error:
        told["close"] = error
    return told


def flip(folder: Path, random_: random.Random) -> str:
    """Flip one bit; by turns anywhere, and in a page of structure rather than of content."""
    sizes = {n: (folder / n).stat().st_size for n in FILES if (folder / n).exists()}
    name = random_.choice([n for n, size in sizes.items() if size])
    at = random_.randrange(sizes[name])
    if random_.random() < 0.5:  # The head of a page: its kind, its cells, where they are.
        at -= at % 4096
        at = min(at + random_.randrange(140), sizes[name] - 1)
    bit = 1 << random_.randrange(8)
    with (folder / name).open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bit]))
    return f"{name}[{at}] ^ {bit}"


def wrong(sound: dict[str, object], damaged: dict[str, object]) -> list[str]:
    """The questions that were answered, and not as before."""
    return [
        name
        for name, answer in damaged.items()
        if not isinstance(answer, AgentsException) and name in sound and answer != sound[name]
    ]


def made(folder: Path, mib: float, seed: int, *, closed: bool) -> Path:
    """A sound journal, written by another process that dies."""
    folder.mkdir()
    command = [sys.executable, __file__, "--fill", str(folder), str(mib), str(seed)]
    subprocess.run(command, check=True, env={**os.environ, "FLIPS_CLOSE": str(int(closed))})
    (folder / "journal.db-shm").unlink(missing_ok=True)
    return folder


def campaign(flips: int, seed: int, largest_mib: float) -> tuple[Counter[str], list[str]]:
    """How the flips ended, and each that was silently wrong."""
    ends: Counter[str] = Counter()
    silent: list[str] = []
    random_ = random.Random(seed)
    sizes = [size for size in (0.1, 0.1, 0.5, 2, 8, 24, 64) if size <= largest_mib]
    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as place:
        for turn, mib in enumerate(sizes):
            sound = made(Path(place, f"sound-{turn}"), mib, seed, closed=turn % 2 == 0)
            facts = json.loads((sound / "facts.json").read_text())
            share = flips // len(sizes) + (turn < flips % len(sizes))
            copy = Path(place, "copy")
            shutil.copytree(sound, copy)
            expected = asyncio.run(answers(copy, facts, seed))
            assert not any(isinstance(a, AgentsException) for a in expected.values()), expected
            for _ in range(share):
                shutil.rmtree(copy)
                shutil.copytree(sound, copy)
                where = flip(copy, random_)
                seen = asyncio.run(answers(copy, facts, seed))
                found = wrong(expected, seen)
                errors = [a for a in seen.values() if isinstance(a, AgentsException)]
                ends["silently wrong" if found else "an error" if errors else "no matter"] += 1
                silent += [f"{mib} MiB, {where}: {', '.join(found)}"] * bool(found)
            shutil.rmtree(copy)
            print(f"{mib:5} MiB: {share} flips; so far {dict(ends)}", flush=True)
    return ends, silent


def main() -> int:
    if sys.argv[1:2] == ["--fill"]:
        asyncio.run(fill(Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
    parser = argparse.ArgumentParser()
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--largest", type=float, default=64, help="MiB")
    options = parser.parse_args()
    ends, silent = campaign(options.flips, options.seed, options.largest)
    print(dict(ends))
    print("\n".join(silent))
    return bool(silent)


if __name__ == "__main__":
    sys.exit(main())
