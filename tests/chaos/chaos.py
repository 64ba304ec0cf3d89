"""Kill runs at random and check what is left: `make chaos ARGS="--seed 7 --runs 50"`.

Every scenario is killed before and after each of its appends; then, until the number of crashes
or the time is reached, at random points two to four times in a row. A seed repeats a run exactly.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent))

from chaoskit.harness import Golden, Verdict, Warm, attack, golden
from chaoskit.scenarios import SCENARIOS

Job = tuple[Golden, tuple[str, ...]]


def main() -> int:
    """Run it. The exit status says whether everything held."""
    asked = _arguments()
    random_ = random.Random(asked.seed)
    warm: SimpleQueue[Warm] = SimpleQueue()
    pool = [Warm() for _ in range(asked.jobs)]
    for each in pool:
        warm.put(each)
    expected = [golden(pool[0], name) for name in asked.only or SCENARIOS]
    jobs: list[Job] = [(each, (point,)) for each in expected for point in each.points()]
    random_.shuffle(jobs)
    jobs = [*jobs, *_chains(expected, random_, asked.runs)]
    print(f"seed {asked.seed}: {len(expected)} scenarios, at most {asked.runs} crashes", flush=True)
    verdicts, took = _perform(jobs, warm, asked)
    for each in pool:
        each.close()
    return _report(verdicts, took, asked.seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--runs", type=int, default=3_000, help="how many crashes (3000)")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--only", action="append", choices=sorted(SCENARIOS))
    return parser.parse_args()


def _chains(expected: list[Golden], random_: random.Random, count: int) -> list[Job]:
    chains: list[Job] = []
    for _ in range(count):
        each = random_.choice(expected)
        length = random_.randint(2, 4)
        chains.append((each, tuple(random_.choice(each.points()) for _ in range(length))))
    return chains


def _perform(
    jobs: list[Job], warm: SimpleQueue[Warm], asked: argparse.Namespace
) -> tuple[list[Verdict], float]:
    began = time.monotonic()
    verdicts: list[Verdict] = []

    def one(job: Job) -> None:
        is_late = time.monotonic() - began > asked.seconds
        if is_late or sum(verdict.crashes for verdict in verdicts) >= asked.runs:
            return
        mine = warm.get()
        try:
            verdicts.append(attack(mine, *job))
        finally:
            warm.put(mine)

    with ThreadPoolExecutor(asked.jobs) as threads:
        list(threads.map(one, jobs))
    return verdicts, time.monotonic() - began


def _report(verdicts: list[Verdict], took: float, seed: int) -> int:
    crashes = sum(verdict.crashes for verdict in verdicts)
    bad = [verdict for verdict in verdicts if verdict.problems]
    print(f"{'scenario':<20}{'runs':>7}{'crashes':>9}{'problems':>10}")
    for name in SCENARIOS:
        mine = [verdict for verdict in verdicts if verdict.scenario == name]
        if mine:
            killed = sum(verdict.crashes for verdict in mine)
            print(f"{name:<20}{len(mine):>7}{killed:>9}{sum(bool(v.problems) for v in mine):>10}")
    for verdict in bad[:10]:
        print(f"\n{verdict}", file=sys.stderr)
    print(f"{crashes} crashes in {took:.0f} s, {len(bad)} problems (seed {seed})")
    return 1 if bad or not crashes else 0


if __name__ == "__main__":
    sys.exit(main())
