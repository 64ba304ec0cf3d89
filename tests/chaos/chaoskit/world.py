"""The world outside a run: a log of what was really done, and a model that remembers nothing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from outlast import ModelResponse, RunConfig, Runner, Usage
from outlast.definitions.model import Model
from outlast.journal import Journal, open_journal
from outlast.models.streaming import reply_events
from outlast.testing import assistant_message, function_call
from outlast.testing.crashing import CrashingJournal

RUN = "run"
Items = list[dict[str, Any]]
Rules = Callable[[Items], list[Any]]


class World:
    """One folder: a journal, and the log of effects beside it."""

    def __init__(
        self, folder: Path, *, point: str = "", durability: str = "process", force: bool = False
    ) -> None:
        self.folder = folder
        self.force = force
        """Whether to take the run from a process that still lives."""
        at, _, moment = point.partition(":")
        inner = open_journal(folder / "journal.db", durability)
        moment = "after" if moment == "after" else "before"
        self.journal: Journal = CrashingJournal(inner, at=int(at or 0), moment=moment)
        if durability == "power":
            inner.committer.on_sync = self._note_sync

    @property
    def appends(self) -> int:
        """How many appends this process has made."""
        return self.journal.appends

    @property
    def has_begun(self) -> bool:
        """Whether anything was done in this world."""
        return (self.folder / "effects.log").exists()

    def _note_sync(self) -> None:
        """Remember how much of the write-ahead log a power cut cannot take any more."""
        size = (self.folder / "journal.db-wal").stat().st_size
        (self.folder / "synced").write_text(str(size))

    def did(self, effect: str, key: str = "") -> None:
        """Remember, outside the run, that something was done. Survives any death from here on."""
        line = json.dumps({"effect": effect, "key": key, "pid": os.getpid()}) + "\n"
        handle = os.open(self.folder / "effects.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, line.encode())
        os.close(handle)

    def fails_once(self, what: str, error: Exception) -> None:
        """Fail the first time of all that this is called in this world."""
        mark = self.folder / f"{what}.failed"
        if not mark.exists():
            mark.touch()
            raise error

    def model(self, name: str, rules: Rules) -> RulesModel:
        """A model of this world."""
        return RulesModel(self, name, rules)

    async def run(self, agent: Any, message: Any, **options: Any) -> Any:
        """Start the run, or go on with it."""
        if self.force:
            await self.journal.release(await self.journal.acquire(RUN, force=True))
        config = options.pop("config", None) or self.config()
        return await Runner.run(agent, message, run_id=RUN, run_config=config, **options)

    def config(self, **options: Any) -> RunConfig:
        """The settings of a run of this world."""
        return RunConfig(journal=self.journal, **options)


class RulesModel(Model):
    """Answers from the conversation alone, so that it says the same in every process."""

    def __init__(self, world: World, name: str, rules: Rules) -> None:
        self.world, self.name, self.rules = world, name, rules

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        given = options.get("input", args[1] if len(args) > 1 else None)
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        self.world.did(f"model:{self.name}:{len(items)}")
        usage = Usage(
            requests=1, input_tokens=len(items), output_tokens=1, total_tokens=len(items) + 1
        )
        return ModelResponse(output=self.rules(items), usage=usage, response_id=None)

    async def stream_response(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        for event in reply_events(await self.get_response(*args, **options), model="rules"):
            yield event


async def until(file: Path) -> None:
    """Wait for a file to be there."""
    while not file.exists():  # noqa: ASYNC110, ASYNC240 (another process makes it)
        await asyncio.sleep(0.005)


def answered(items: Items) -> dict[str, str]:
    """What the calls in a conversation came to, by call id."""
    return {
        item["call_id"]: str(item["output"])
        for item in items
        if item.get("type") == "function_call_output"
    }


def call(name: str, call_id: str, **arguments: Any) -> Any:
    """A call of a function tool."""
    return function_call(name, arguments, call_id=call_id)


def say(text: str) -> list[Any]:
    """A final message."""
    return [assistant_message(text)]


def script(*steps: list[Any]) -> Rules:
    """Rules that play ``steps`` in order: each is due once all calls of those before are answered."""

    def rules(items: Items) -> list[Any]:
        done = answered(items)
        for step in steps:
            calls = [item.call_id for item in step if item.type == "function_call"]
            if not calls or not all(call_id in done for call_id in calls):
                return step
        raise AssertionError(f"nothing left to say after {sorted(done)}")

    return rules
