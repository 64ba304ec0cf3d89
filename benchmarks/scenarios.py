"""What is measured: one coroutine a scenario, from a driver to a dict of figures.

CPU time is what the tables compare; wall time would also count the neighbours of the machine.
"""

import asyncio
import gc
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from common import TEXT, TURN_TIMES, Driver, begin_run, shape
from wire_server import DELTAS

Figures = dict[str, float]
Scenario = Callable[[Driver, float], Awaitable[Figures]]

BATCH_S = 0.01
WARM_UP_S = 0.4
US, MS = 1e6, 1e3


async def repeat(call: Callable[[], Awaitable[Any]], seconds: float) -> Figures:
    """Return wall and CPU seconds of a call: the median over batches of some 10 ms."""
    batch = await _batch_size(call)
    gc.collect()
    wall: list[float] = []
    cpu: list[float] = []
    end = time.perf_counter() + seconds
    while len(wall) < 5 or time.perf_counter() < end:
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        for _ in range(batch):
            await call()
        wall.append((time.perf_counter() - wall_start) / batch)
        cpu.append((time.process_time() - cpu_start) / batch)
        if time.perf_counter() > end + 20:
            break
    return {"wall": statistics.median(wall), "cpu": statistics.median(cpu)}


async def _batch_size(call: Callable[[], Awaitable[Any]]) -> int:
    count, start = 0, time.perf_counter()
    while count < 2 or time.perf_counter() - start < WARM_UP_S:
        await call()
        count += 1
    return max(1, int(BATCH_S / ((time.perf_counter() - start) / count)))


async def one(driver: Driver, agent: Any, max_turns: int) -> None:
    begin_run()
    answer = await driver.run(agent, max_turns)
    assert answer == TEXT, repr(answer)


async def build(driver: Driver, seconds: float) -> Figures:
    """Ten tools with their schemas, and an agent that has them."""
    script = driver.script(shape(0))

    async def both() -> None:
        driver.agent(driver.tools(10), script)

    measured = await repeat(both, seconds)
    return {"cpu_us": measured["cpu"] * US, "wall_us": measured["wall"] * US}


def runs(turns: int, calls: int, per: int, *, tools: int) -> Scenario:
    """Make a scenario: whole runs on one agent, reported per run, turn or call."""

    async def scenario(driver: Driver, seconds: float) -> Figures:
        agent = driver.agent(driver.tools(tools), driver.script(shape(turns, calls)))
        measured = await repeat(lambda: one(driver, agent, turns + 5), seconds)
        return {"cpu_us": measured["cpu"] / per * US, "wall_us": measured["wall"] / per * US}

    return scenario


async def long200(driver: Driver, seconds: float) -> Figures:
    """One run of 200 turns with a tool call each: what turn 10 and turn 200 cost."""
    turns = 200
    agent = driver.agent(driver.tools(1), driver.script(shape(turns)))
    rows: list[tuple[float, float, float]] = []
    end = time.perf_counter() + max(seconds, 2)
    while len(rows) < 4 or (time.perf_counter() < end and len(rows) < 200):
        times: list[tuple[float, float]] = []
        TURN_TIMES.set(times)
        gc.collect()
        start = time.process_time()
        await one(driver, agent, turns + 5)
        whole = time.process_time() - start
        early, late = times[15][1] - times[5][1], times[200][1] - times[190][1]
        rows.append((whole, early / 10, late / 10))
    whole, early, late = (statistics.median(column) for column in zip(*rows[1:], strict=True))
    return {"cpu_ms": whole * MS, "turn10_us": early * US, "turn200_us": late * US}


async def stream1000(driver: Driver, seconds: float) -> Figures:
    """One streamed answer of a thousand text deltas, per delta."""
    agent = driver.stream_agent(1000)
    seen: list[int] = []

    async def streamed() -> None:
        begin_run()
        seen.append(await driver.run_stream(agent))

    measured = await repeat(streamed, seconds)
    return {
        "cpu_us": measured["cpu"] / 1000 * US,
        "wall_us": measured["wall"] / 1000 * US,
        "seen": seen[-1],
    }


def wire(api: str, model: str = "fast", *, is_streamed: bool = True) -> Scenario:
    """Make a scenario: answers over HTTP from another process, per delta if they are streamed."""
    per = DELTAS[model] if is_streamed else 1

    async def scenario(driver: Driver, seconds: float) -> Figures:
        seen: list[int] = []

        async def streamed() -> None:
            seen.append(await driver.run_stream(agent))

        with Wire() as url:
            agent = driver.wire_agent(api, model, url)
            call = streamed if is_streamed else lambda: one(driver, agent, 5)
            measured = await repeat(call, seconds)
        assert all(count == per for count in seen), seen
        return {"cpu_us": measured["cpu"] / per * US, "wall_us": measured["wall"] / per * US}

    return scenario


class Wire:
    """The server, in a process of its own for as long as the block lasts."""

    def __enter__(self) -> str:
        script = Path(__file__).parent / "wire_server.py"
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=pipe, stdout=pipe, text=True
        )
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # Waits, so that what it used counts as this process' own.


async def conc(driver: Driver, seconds: float) -> Figures:
    """Runs of five turns side by side on one agent, with a model that takes 50 ms."""
    del seconds
    turns = 4
    figures: Figures = {}
    agent = driver.agent(driver.tools(1), driver.script(shape(turns)), 0.05)
    await asyncio.gather(*[one(driver, agent, turns + 5) for _ in range(20)])
    for count in (50, 200, 500, 1000, 2000):
        gc.collect()
        before, start, wall = _memory_kb("VmRSS"), time.process_time(), time.perf_counter()
        _reset_peak()
        await asyncio.gather(*[one(driver, agent, turns + 5) for _ in range(count)])
        figures[f"cpu_us_{count}"] = (time.process_time() - start) / count / (turns + 1) * US
        figures[f"wall_s_{count}"] = time.perf_counter() - wall
        figures["kb_per_run"] = (_memory_kb("VmHWM") - before) / count
    figures["growth"] = figures["cpu_us_2000"] / figures["cpu_us_50"]
    return figures


def _memory_kb(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


async def durable_loop(driver: Driver, seconds: float) -> Figures:
    """Runs of ten turns with a tool call and a final one, each left on disk, per turn."""
    turns = 10
    async with Durable(driver, turns) as durable:
        measured = await repeat(durable.once, seconds)
    return {
        "cpu_us": measured["cpu"] / (turns + 1) * US,
        "wall_us": measured["wall"] / (turns + 1) * US,
    }


async def durable_conc(driver: Driver, seconds: float) -> Figures:
    """200 such runs of five turns at once: turns a second, and CPU per turn."""
    del seconds
    turns, count = 4, 200
    async with Durable(driver, turns) as durable:
        for _ in range(3):
            await durable.once()
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*[durable.once() for _ in range(count)])
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    done = count * (turns + 1)
    return {"cpu_us": cpu / done * US, "turns_per_s": done / wall}


async def fsyncs(driver: Driver, seconds: float) -> Figures:
    """One durable run of BENCH_TURNS turns; `compare.py` counts the system calls around it."""
    del seconds
    async with Durable(driver, int(os.environ.get("BENCH_TURNS", "20"))) as durable:
        await durable.once()
    return {}


async def size200(driver: Driver, seconds: float) -> Figures:
    """What one durable run of 200 turns leaves on disk."""
    del seconds
    async with Durable(driver, 200) as durable:
        await durable.once()
        await driver.close()
        sizes = [path.stat().st_size for path in durable.folder.rglob("*") if path.is_file()]
    return {"kb": sum(sizes) / 1024}


class Durable:
    """A driver's durable runs in a folder that goes away afterwards."""

    def __init__(self, driver: Driver, turns: int) -> None:
        self.driver, self.turns, self.count = driver, turns, 0
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("BENCH_TMP")))

    async def __aenter__(self) -> Self:
        driver = self.driver
        script = driver.script(shape(self.turns))
        self.run = await driver.durable(driver.tools(1), script, str(self.folder))
        return self

    async def once(self) -> None:
        begin_run()
        self.count += 1
        answer = await self.run(f"run-{self.count}", self.turns + 5)
        assert answer == TEXT, repr(answer)

    async def __aexit__(self, *_: object) -> None:
        await self.driver.close()
        shutil.rmtree(self.folder, ignore_errors=True)


SCENARIOS: dict[str, Scenario] = {
    "build": build,
    "single": runs(0, 0, 1, tools=0),
    "single10t": runs(0, 0, 1, tools=10),
    "loop10": runs(10, 1, 11, tools=1),
    "par50": runs(1, 50, 50, tools=1),
    "par800": runs(1, 800, 800, tools=1),
    "long200": long200,
    "stream1000": stream1000,
    "wire_stream": wire("responses"),
    "wire_stream_chat": wire("chat"),
    "wire_paced": wire("responses", "paced"),
    "wire_single": wire("responses", is_streamed=False),
    "conc": conc,
    "durable_loop": durable_loop,
    "durable_conc": durable_conc,
    "fsyncs": fsyncs,
    "size200": size200,
}
