"""Approve and reject from many processes at once: `make decisions ARGS="--calls 1000 --processes 8"`.

Every process decides about every call of runs that nobody performs, half of them for it and half against.
Each call must have one decision in the log, one process that was told that it won, and all the others
told by whom they lost.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from outlast import Agent, AlreadyDecided, RunConfig, Runner, function_tool
from outlast.core.events import ApprovalDecided
from outlast.journal import SqliteJournal
from outlast.testing import ScriptedModel, function_call

PER_RUN = 50


@dataclass(frozen=True)
class Race:
    """What each process was told, and what the logs say."""

    calls: int
    won: Counter[str]
    """By the call: how many were told that theirs is the decision."""
    lost: Counter[str]
    liars: list[str]
    """Calls of which a loser was told another winner than the log's."""
    decisions: int

    def problems(self, processes: int) -> list[str]:
        """What went wrong, in words."""
        wrong: list[str] = []
        if set(self.won.values()) != {1} or len(self.won) != self.calls:
            wrong.append(f"{len(self.won)} of {self.calls} calls have a winner: {self.won}")
        if set(self.lost.values()) - {processes - 1} or (processes > 1 and not self.lost):
            wrong.append(f"losers were not all told: {self.lost}")
        if self.decisions != self.calls:
            wrong.append(f"the logs have {self.decisions} decisions about {self.calls} calls")
        return [*wrong, *(f"a loser was told of another winner: {call}" for call in self.liars)]


async def race(place: Path, *, calls: int, processes: int) -> Race:
    """Let processes decide about the same calls, all at once."""
    runs = {f"r{at}": min(PER_RUN, calls - at) for at in range(0, calls, PER_RUN)}
    await _waiting(place, runs)
    voters = [
        await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--vote", str(place), str(number), str(calls),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for number in range(processes)
    ]  # fmt: skip
    for voter in voters:
        assert voter.stdout
        await voter.stdout.readline()
    said = await asyncio.gather(*(voter.communicate(b"go\n") for voter in voters))
    lines = [line.split() for out, _ in said for line in out.decode().splitlines()]
    journal = SqliteJournal(place, durability="process")
    events = [each.event for run in runs for each in await journal.read(run)]
    await journal.close()
    decided = [event for event in events if isinstance(event, ApprovalDecided)]
    by = {event.call_id: event.by for event in decided}
    return Race(
        calls,
        Counter(call for word, call, _ in lines if word == "won"),
        Counter(call for word, call, _ in lines if word == "lost"),
        [call for _, call, winner in lines if by.get(call) != winner],
        len(decided),
    )


async def _waiting(place: Path, runs: dict[str, int]) -> None:
    """Runs whose calls wait for a person."""
    journal = SqliteJournal(place, durability="process")
    for run, count in runs.items():
        script = [[function_call("pay", {}, call_id=f"{run}.{n}") for n in range(count)]]
        agent = Agent(name="desk", tools=[pay], model=ScriptedModel(script))
        await Runner.run(agent, "pay", run_id=run, run_config=RunConfig(journal=journal))
    await journal.close()


@function_tool(needs_approval=True)
def pay() -> str:
    """Pay."""
    raise AssertionError("nobody resumes these runs")


async def vote(place: str, name: str, calls: int) -> None:
    """Decide about every call, and say what came of it."""
    config = RunConfig(journal=place, durability="process")
    decide = Runner.approve if int(name) % 2 else Runner.reject
    print("ready", flush=True)
    sys.stdin.readline()
    for at in range(0, calls, PER_RUN):
        for number in range(min(PER_RUN, calls - at)):
            call = f"r{at}.{number}"
            try:
                await decide(f"r{at}", call, by=name, run_config=config)
                print("won", call, name)
            except AlreadyDecided as late:
                print("lost", call, late.by)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--vote", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.vote:
        asyncio.run(vote(options.vote[0], options.vote[1], int(options.vote[2])))
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "journal.db"
        result = asyncio.run(race(place, calls=options.calls, processes=options.processes))
    wrong = result.problems(options.processes)
    print(
        f"{len(result.won)} of {options.calls} calls have one winner of {options.processes} processes, "
        f"{result.lost.total()} were told that they were late; {time.monotonic() - began:.0f} s"
    )
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
