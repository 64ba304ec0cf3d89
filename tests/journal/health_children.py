"""What other processes do in the tests of health: `python health_children.py <what> <path> …`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from outlast import Agent, CircuitBreaker, CircuitOpen, ModelPaced, Paced, RunConfig, Runner
from outlast.calls.health import Asked, Health, circuit_after
from outlast.journal import SqliteJournal
from outlast.testing import ModelStep, ScriptedModel, assistant_message

OK = [assistant_message("done")]
KEY = "endpoint model"


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


class Endpoint(ScriptedModel):
    """A model of one name at one address, in whichever process."""

    model = "model"
    base_url = "https://models.example/v1"


async def count(path: Path, times: str) -> None:
    """Add one to a record, so many times."""
    journal = SqliteJournal(path, durability="process")

    def more(health: Health) -> tuple[Health, None]:
        failures = health.circuit.failures + 1
        circuit = type(health.circuit)(failures=failures)
        return Health(circuit, health.pace), None

    say("ready")
    sys.stdin.readline()
    for _ in range(int(times)):
        await journal.health.change(KEY, more)
    say("done")


async def probe(path: Path, probe_s: str, rounds: str) -> None:
    """Ask for the probe at the moment that the parent says; say who got it, and keep it."""
    health = SqliteJournal(path, durability="process").health
    rules = CircuitBreaker(failures=1, probe_s=float(probe_s))
    by = f"process {os.getpid()}"

    def ask(kept: Health) -> tuple[Health, bool]:
        circuit = circuit_after(kept.circuit, Asked(by), time.time(), rules)
        return Health(circuit, kept.pace), circuit.admits(by)

    for n in range(int(rounds)):
        say("ready")
        at = float(sys.stdin.readline())
        while time.time() < at:
            pass
        say("probes" if await health.change(f"{KEY} {n}", ask) else "waits")
    say("ready")
    sys.stdin.readline()


async def run_many(path: Path, per_minute: str, times: str) -> None:
    """Ask a paced model so many times in runs of its own; say how often it went."""
    journal = SqliteJournal(path, durability="process")
    model = Endpoint([OK] * int(times))
    paced = Paced(model, requests_per_minute=int(per_minute), max_wait_s=0)
    agent: Agent[Any] = Agent(name="desk", model=paced)
    say("ready")
    sys.stdin.readline()
    refused = 0
    for _ in range(int(times)):
        try:
            await Runner.run(agent, "hi", run_config=RunConfig(journal=journal))
        except ModelPaced:
            refused += 1
    say(f"{len(model.calls)} {refused}")


async def run_one(path: Path, probe_s: str, run_id: str) -> None:
    """Ask the model once, when the parent says so; say that it was asked, and answer likewise."""
    journal = SqliteJournal(path, durability="process")

    async def answer(_: Any) -> Any:
        say("asked")
        await asyncio.to_thread(sys.stdin.readline)
        return OK

    breaker = CircuitBreaker(failures=1, cooldown_s=0.01, probe_s=float(probe_s))
    agent: Agent[Any] = Agent(name="desk", model=Endpoint([ModelStep.respond(answer)]))
    config = RunConfig(journal=journal, breaker=breaker)
    say("ready")
    sys.stdin.readline()
    try:
        await Runner.run(agent, "hi", run_id=run_id, run_config=config)
    except CircuitOpen:
        say("refused")
    else:
        say("done")


if __name__ == "__main__":
    what = {each.__name__: each for each in (count, probe, run_many, run_one)}
    asyncio.run(what[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
