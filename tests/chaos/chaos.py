"""Kill runs at random and check what is left: `make chaos ARGS="--seed 7 --runs 50"`.

First killed runs are resumed by two processes at once, owners are stopped, replaced and woken up,
and appends are cancelled halfway. Then every scenario is killed before and after each of its appends;
and after that, until the number of crashes or the time is reached, at random points two to four times
in a row. A seed repeats the choices; which of two processes is first, it cannot.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent))

from chaoskit.harness import Golden, Verdict, Warm, attack, golden
from chaoskit.races import cancel_appends, double_resume, zombie
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
    began = time.monotonic()
    lost = False
    for name, problems in _races(expected, pool, random_, asked):
        print(f"{name}, {len(problems)} problems", flush=True)
        for problem in problems[:10]:
            print(problem, file=sys.stderr)
        lost = lost or bool(problems)
    verdicts, took = _perform(jobs, warm, asked, began)
    for each in pool:
        each.close()
    return _report(verdicts, took, asked.seed) or int(lost)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--runs", type=int, default=3_000, help="how many crashes (3000)")
    parser.add_argument("--resumes", type=int, default=1_000, help="how many double resumes (1000)")
    parser.add_argument("--zombies", type=int, default=200, help="how many stopped owners (200)")
    parser.add_argument(
        "--cancels", type=int, default=10_000, help="how many cancelled appends (10000)"
    )
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
    jobs: list[Job], warm: SimpleQueue[Warm], asked: argparse.Namespace, began: float
) -> tuple[list[Verdict], float]:
    verdicts: list[Verdict] = []
    first = time.monotonic()

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
    return verdicts, time.monotonic() - first


def _races(
    expected: list[Golden],
    pool: list[Warm],
    random_: random.Random,
    asked: argparse.Namespace,
) -> Iterator[tuple[str, list[str]]]:
    """What was tried how often, and what went wrong; less when half of the time is over."""
    began = time.monotonic()

    def is_time() -> bool:
        return time.monotonic() - began < asked.seconds / 2

    # These go on from a RunState; two processes that use the same one make a fork, which is allowed.
    fit = [each for each in expected if each.scenario not in ("approval", "ask_policy")]
    chosen = [random_.choice(fit) for _ in range(asked.resumes)] if fit else []
    jobs = [(each, random_.choice(each.points())) for each in chosen]

    def resume(number: int) -> list[list[str]]:
        mine = jobs[number :: len(pool)]
        return [double_resume(pool[number], *job) for job in mine if is_time()]

    with ThreadPoolExecutor(len(pool)) as threads:
        found = [problems for each in threads.map(resume, range(len(pool))) for problems in each]
    yield f"{len(found)} runs resumed by two processes at once", list(chain(*found))
    other = Warm()
    found = [zombie(pool[0], other) for _ in range(asked.zombies) if is_time()]
    other.close()
    yield f"{len(found)} owners stopped, replaced and woken up", list(chain(*found))
    for durability in ("process", "power"):
        count = asked.cancels // 2 if is_time() else 0
        wrong = asyncio.run(cancel_appends(asked.seed, count, durability)) if count else []
        yield f"{count} appends cancelled ({durability})", wrong


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
