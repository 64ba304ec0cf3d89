"""What an append costs: `python tests/journal/bench.py [folder]`. Prints microseconds."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from outlast.core.events import EffectStarted, RunStarted, ToolReturned, TurnPrepared
from outlast.journal import Journal, Lease, MemoryJournal, SqliteJournal

ROUNDS = 9
EVENTS = [
    ToolReturned("t1.call_1", "call_1", {"type": "function_call_output", "output": "x" * 120}),
    TurnPrepared("p2", "agent", instructions="a" * 40, tools="b" * 40),
    EffectStarted("m2", "model", "gpt", key="run/m2"),
]


async def appends(journal: Journal, writers: int, each: int, *, pause: bool) -> list[float]:
    leases = [await journal.acquire(f"r{writers}-{n}-{each}", new=True) for n in range(writers)]
    await asyncio.gather(*(journal.append(lease, [RunStarted("agent", [])]) for lease in leases))

    async def write(lease: Lease) -> None:
        for _ in range(each):
            await journal.append(lease, EVENTS)
            if pause:
                await asyncio.sleep(0)

    costs: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await asyncio.gather(*(write(lease) for lease in leases))
        costs.append((time.perf_counter() - begun) / writers / each)
    for lease in leases:
        await journal.release(lease)
    return costs


async def main(folder: Path) -> None:
    for name in ("memory", "process", "power"):
        if name == "memory":
            journal: Journal = MemoryJournal()
        else:
            journal = SqliteJournal(folder / f"{name}.db", durability=name)
        syncs = [0]
        if name == "power":
            journal.committer.on_sync = lambda syncs=syncs: syncs.__setitem__(0, syncs[0] + 1)
        for writers in (1, 2, 4, 8, 32, 200, 2000):
            each = max(2, (500 if name == "power" and writers < 8 else 2000) // writers)
            syncs[0] = 0
            costs = sorted(await appends(journal, writers, each, pause=writers > 1))
            appended = writers * (each * ROUNDS + 1)
            fsyncs = f", {syncs[0] / appended:.4f} syncs each" if name == "power" else ""
            best, middle = costs[0], costs[len(costs) // 2]
            print(
                f"{name:8} {writers:5} runs: best {best * 1e6:6.1f} µs, median {middle * 1e6:6.1f}"
                f" µs = {1 / middle:6.0f}/s{fsyncs}",
                flush=True,
            )
        await journal.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        asyncio.run(main(Path(folder)))
