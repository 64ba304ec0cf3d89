"""Kill workers, again and again, under many runs at once; then check what is left.

    python tests/temporal/kills.py [--kills 300] [--runs 8] [--every 0.7] [--server-kills 0]

Needs a Temporal server: `python3 tests/services.py up temporal`. Prints a summary, and exits with 1
where a promise did not hold:

- every run ends with its answer;
- what is recorded is never done again: nothing of a turn happens after the turn behind the next;
- a tool that must not run twice does not.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

TURNS = 8


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--runs", type=int, default=8, help="how many runs go on at once")
    parser.add_argument("--every", type=float, default=0.7, help="seconds between two kills")
    parser.add_argument("--server-kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Workers:
    """Three worker processes, each replaced when it is killed."""

    def __init__(self, folder: Path, queue: str) -> None:
        words = [sys.executable, str(HERE / "worker_process.py"), "chain", str(folder), queue]
        self._words = words
        self._workers = [self._start() for _ in range(3)]
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(self._words, **quiet)

    def kill(self, chance: random.Random) -> None:
        at = chance.randrange(len(self._workers))
        self._workers[at].kill()
        self._workers[at].wait()
        self._workers[at] = self._start()
        self.kills += 1

    def close(self) -> None:
        for each in self._workers:
            each.kill()
            each.wait()


async def main() -> int:
    options = parsed()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, queue = Path(name), f"k{os.urandom(6).hex()}"
        workers = Workers(folder, queue)
        try:
            outputs = await played(options, workers, chance, folder, queue)
        finally:
            workers.close()
        problems = checked(folder, outputs)
    print(f"{workers.kills} kills, {len(outputs)} runs, {len(problems)} problems")
    print("\n".join(problems[:20]))
    return 1 if problems else 0


async def played(
    options: argparse.Namespace, workers: Workers, chance: random.Random, folder: Path, queue: str
) -> dict[str, Any]:
    """Runs and kills beside each other, until there were enough kills and every run has ended."""
    from worker_process import chain_agent

    from outlast import Runner
    from outlast.temporal import DirectoryStore, TemporalEngine, TemporalSettings, connect

    store = DirectoryStore(folder / "store")
    settings = TemporalSettings(heartbeat_s=5.0, events_per_history=60)
    engine = TemporalEngine(await connect(store), store, queue=queue, settings=settings)
    outputs: dict[str, Any] = {}
    enough = asyncio.Event()

    async def runs() -> None:
        while not enough.is_set():
            run_id = f"{queue}-{len(outputs)}"
            outputs[run_id] = None
            result = await Runner.run(
                chain_agent(TURNS), run_id, engine=engine, run_id=run_id, max_turns=50
            )
            outputs[run_id] = result.final_output

    tasks = [asyncio.create_task(runs()) for _ in range(options.runs)]
    servers = options.server_kills
    while workers.kills < options.kills:
        await asyncio.sleep(options.every * chance.uniform(0.5, 1.5))
        workers.kill(chance)
        if servers and workers.kills % (options.kills // servers + 1) == 0:
            services = [sys.executable, str(HERE.parent / "services.py")]
            await asyncio.to_thread(subprocess.run, [*services, "kill", "temporal"], check=True)
            await asyncio.to_thread(subprocess.run, [*services, "up", "temporal"], check=True)
    enough.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 240)
    return outputs


def checked(folder: Path, outputs: dict[str, Any]) -> list[str]:
    """Every promise that did not hold."""
    problems = [
        f"{run}: {output!r}" for run, output in outputs.items() if output != f"{TURNS} turns"
    ]
    done = [json.loads(line) for line in (folder / "chain.log").read_text().splitlines()]
    furthest: Counter[str] = Counter()
    paid: Counter[tuple[str, int]] = Counter()
    for what, run, turn in done:
        if turn < furthest[run] - 1:
            problems.append(f"{run}: {what} of turn {turn} after turn {furthest[run]}")
        furthest[run] = max(furthest[run], turn)
        paid[(run, turn)] += what == "pay"
    problems += [
        f"{run}: paid {n} times in turn {turn}" for (run, turn), n in paid.items() if n > 1
    ]
    print(Counter(what for what, *_ in done))
    return problems


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
