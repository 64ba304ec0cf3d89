"""Kill a scenario at chosen appends, start it again until it ends, and check what is left."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ChildStarted,
    EffectFailed,
    EffectStarted,
    GuardrailChecked,
    HandedOff,
    ModelReplied,
    OutputProduced,
    RunCancelled,
    RunCompleted,
    RunFailed,
    SessionLoaded,
    SessionSaved,
    ToolReturned,
    TurnPrepared,
    UsageFacts,
)  # fmt: skip
from outlast.core.ids import EffectId
from outlast.journal import SqliteJournal, Stored

WARM = Path(__file__).with_name("warm.py")
KILLED = -signal.SIGKILL
_NOT_SAME = {"once_policy", "ask_policy", "tripped_guardrail", "topped_up"}
"""Scenarios whose log may be another one after a crash: as their tool or budget wants it, or a race ends."""
_SAID = (
    ApprovalDecided, ChildStarted, GuardrailChecked, HandedOff, ModelReplied, OutputProduced,
    RunCancelled, RunCompleted, RunFailed, SessionLoaded, SessionSaved, ToolReturned, TurnPrepared,
)  # fmt: skip


class Warm:
    """A warm process that forks children on request."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WARM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def play(self, folder: Path, scenario: str, point: str = "", **options: Any) -> list[int]:
        """Play a scenario in one child, or in ``many``. Returns their exit statuses."""
        self.send(folder, scenario, point, **options)
        return self.receive()

    def send(self, folder: Path, scenario: str, point: str = "", **options: Any) -> None:
        """Begin what `play` does."""
        request = {"folder": str(folder), "scenario": scenario, "point": point, **options}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")

    def receive(self) -> list[int]:
        """Wait for what `send` began."""
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())["codes"]

    def close(self) -> None:
        """End the warm process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@dataclass(frozen=True)
class Golden:
    """What a scenario comes to when nothing happens to it."""

    scenario: str
    outcome: Any
    appends: int
    logs: dict[str, list[str]] = field(default_factory=dict)
    """What each run's log says at the end, but for who performed it and how often."""
    kinds: frozenset[str] = frozenset()
    """The kinds of effects that were begun."""
    done: list[str] = field(default_factory=list)
    """What was done in the world outside, by name."""

    def points(self) -> list[str]:
        """Every moment that can be told apart: before and after each append."""
        return [f"{n}:{when}" for n in range(1, self.appends + 1) for when in ("before", "after")]


@dataclass
class Verdict:
    """What became of one attacked run."""

    scenario: str
    points: tuple[str, ...]
    crashes: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.scenario} killed at {', '.join(self.points)}: {'; '.join(self.problems)}"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where there is some: only processes die here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def outcome_of(place: Path, number: int = 0) -> dict[str, Any]:
    """What a child left behind."""
    return json.loads((place / f"outcome.{number}.json").read_text())


def golden(warm: Warm, scenario: str, **options: Any) -> Golden:
    """Play a scenario undisturbed."""
    with folder() as place:
        codes = warm.play(place, scenario, **options)
        facts = outcome_of(place)
        assert codes == [0], facts.get("trace", facts)
        problems = check(place, 0)
        assert not problems, problems
        logs, kinds = final_logs(place), _begun(place)
        done = sorted(line["effect"] for line in effects(place))
    return Golden(scenario, facts["outcome"], facts["appends"], logs, kinds, done)


def attack(warm: Warm, expected: Golden, points: Sequence[str], **options: Any) -> Verdict:
    """Kill a run at each of ``points`` in turn, then let it end, and judge it."""
    verdict = Verdict(expected.scenario, tuple(points))
    with folder() as place:
        for point in points:
            codes = warm.play(place, expected.scenario, point, **options)
            verdict.crashes += codes == [KILLED]
        codes = warm.play(place, expected.scenario, **options)
        facts = outcome_of(place)
        if codes != [0]:
            verdict.problems.append(f"it does not go on: {facts.get('trace', codes)}")
            return verdict
        if not is_expected(expected, facts["outcome"]):
            verdict.problems.append(f"outcome {facts['outcome']}, not {expected.outcome}")
        if expected.scenario not in _NOT_SAME and final_logs(place) != expected.logs:
            verdict.problems.append(f"the logs are {final_logs(place)}, not {expected.logs}")
        verdict.problems += check(place, verdict.crashes)
    return verdict


def is_expected(expected: Golden, outcome: Any) -> bool:
    """Whether an outcome is the undisturbed one, or the one that the tool's policy promises."""
    if expected.scenario == "once_policy":
        return {**outcome, "output": "paid"} == expected.outcome
    if expected.scenario == "ask_policy":
        return {**outcome, "asked": False} == expected.outcome
    return outcome == expected.outcome


def check(place: Path, crashes: int) -> list[str]:
    """Every promise about a run's logs and effects that does not hold."""
    logs = read_logs(place / "journal.db")
    started: Counter[str] = Counter()
    policies: dict[str, str] = {}
    problems: list[str] = []
    for run_id, log in logs.items():
        problems += _check_log(run_id, log, crashes)
        for stored in log:
            if isinstance(stored.event, EffectStarted):
                name = _outside_name(stored.event)
                started[name] += 1
                policies[name] = stored.event.policy
    return problems + _check_effects(place, started, policies)


def read_logs(file: Path) -> dict[str, Sequence[Stored]]:
    """All logs of a journal."""

    async def read() -> dict[str, Sequence[Stored]]:
        journal = SqliteJournal(file, durability="process")
        try:
            return {row.run_id: await journal.read(row.run_id) for row in await journal.runs()}
        finally:
            await journal.close()

    return asyncio.run(read())


def final_logs(place: Path) -> dict[str, list[str]]:
    """What each run's log says at the end, but for who performed it, how often, and in which order."""
    return {
        run_id: sorted(
            f"{type(stored.event).__name__} {msgspec.json.encode(_plain(stored.event)).decode()}"
            for stored in log
            if isinstance(stored.event, _SAID)
        )
        for run_id, log in read_logs(place / "journal.db").items()
    }


def _plain(event: Any) -> Any:
    """The event without what a lost attempt, which nobody recorded, would have added to it."""
    if isinstance(event, ApprovalDecided):
        return replace(event, at=None)
    return replace(event, usage=UsageFacts()) if isinstance(event, ModelReplied) else event


def _begun(place: Path) -> frozenset[str]:
    logs = read_logs(place / "journal.db").values()
    events = (stored.event for log in logs for stored in log)
    return frozenset(EffectId.parse(e.id).kind for e in events if isinstance(e, EffectStarted))


def _comes_from_a_tool(event: EffectFailed | ApprovalRequested) -> bool:
    """Whether a tool had begun, itself or a run inside it, when it failed or asked a person."""
    return (
        not isinstance(event, ApprovalRequested) or event.reason == "question" or bool(event.child)
    )


def _check_log(run_id: str, log: Sequence[Stored], crashes: int) -> list[str]:
    problems: list[str] = []
    if [stored.seq for stored in log] != list(range(len(log))):
        problems.append(f"{run_id}: the log has gaps")
    starts: Counter[str] = Counter()
    results: set[tuple[str, str]] = set()
    for stored in log:
        event = stored.event
        if isinstance(event, EffectStarted):
            starts[event.id] += 1
            if any(key == event.id for _, key in results):
                problems.append(f"{run_id}: {event.id} was begun again after its result")
        elif isinstance(event, ModelReplied | ToolReturned | HandedOff | TurnPrepared):
            found = (type(event).__name__, event.id)
            if found in results:
                problems.append(f"{run_id}: {event.id} has two results")
            results.add(found)
    again = (EffectFailed, ApprovalRequested)
    asked = Counter(
        each.event.id
        for each in log
        if isinstance(each.event, again) and _comes_from_a_tool(each.event)
    )
    often = [key for key, count in starts.items() if count > 1 + crashes + asked[key]]
    return problems + [f"{run_id}: {key} was begun {starts[key]} times" for key in often]


def _check_effects(place: Path, started: Counter[str], policies: dict[str, str]) -> list[str]:
    done: Counter[str] = Counter()
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for line in effects(place):
        kind, _, rest = line["effect"].partition(":")
        name = kind if kind != "tool" else rest.partition(":")[2]
        done[name] += 1
        keys[name].add(line["key"])
    problems = [
        f"{name} was performed {count} times and begun {started[name]} times in the log"
        for name, count in done.items()
        if name not in ("guardrail", "hook") and count > started[name]
    ]
    problems += [
        f"{name} must run once and was performed {done[name]} times"
        for name, policy in policies.items()
        if policy == "once" and done[name] > 1
    ]
    return problems + [f"{name} had several keys" for name, seen in keys.items() if len(seen) > 1]


def effects(place: Path) -> list[dict[str, str]]:
    """What was really done, oldest first."""
    file = place / "effects.log"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _outside_name(event: EffectStarted) -> str:
    """What the world calls an effect: a tool's by its call, a model's is one of all."""
    return event.id.partition(".")[2] if event.kind == "tool" else str(event.kind)
