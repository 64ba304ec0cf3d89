"""An engine that performs no effect itself: each is performed in another process, over a pipe.

JSON goes out and JSON comes back. What a performer needs is in the log, or the worker holds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec

from outlast.core.effects import Effect
from outlast.core.events import EffectFailed, ErrorFacts, Event
from outlast.core.state import RunState
from outlast.effects.failures import error_facts, error_of
from outlast.effects.outcome import Emit, HookCall, Outcome
from outlast.engine.env import RunEnv


class Elsewhere:
    """Performs the effects of one run in the worker at the other end of a pipe."""

    def __init__(self, env: RunEnv, pipe: Pipe) -> None:
        self._env, self._pipe = env, pipe

    def derive(self, effect: Effect, state: RunState) -> Sequence[Event] | None:
        return None  # What is fixed, the worker knows.

    async def perform(self, effect: Effect, emit: Emit) -> Outcome:
        outcome = await self._asked(effect, emit, "perform")
        for name, data in outcome.blobs.items():
            self._env.log.journal.blobs.put(data, name)
        return outcome

    async def tell(self, effect: Effect, hooks: Sequence[HookCall]) -> None:
        await self._asked(effect, None, "tell", hooks=hooks)

    def failed(self, effect: Effect, error: Exception) -> Event:
        return EffectFailed(effect.id, error_facts(error, effect.id))

    async def _asked(self, effect: Effect, emit: Any, act: str, **said: Any) -> Outcome:
        about = {"key": f"{self._env.run_id} {act} {effect.id}", "effect": effect.id}
        box = self._pipe.opened(about["key"])
        log = self._env.log
        of_run = {"run_id": log.run_id, "epoch": log.epoch, "log": log.events}
        self._pipe.send(**about, act=act, **of_run, **said)
        try:
            while "outcome" not in (reply := await box.get()):
                if "error" in reply:
                    raise error_of(msgspec.convert(reply["error"], ErrorFacts))
                await emit(*msgspec.convert(reply["emit"], list[Event]))
                self._pipe.send(**about, act="emitted")
        except asyncio.CancelledError:
            self._pipe.send(**about, act="cancel")
            raise
        return msgspec.convert(reply["outcome"], Outcome)


class Pipe:
    """Two ends of pipes that lead to a worker, for all runs of this process."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._boxes: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._reader: asyncio.Task[None] | None = None

    def opened(self, key: str) -> asyncio.Queue[dict[str, Any]]:
        self._reader = self._reader or asyncio.get_running_loop().create_task(self._read())
        self._boxes[key] = asyncio.Queue()
        return self._boxes[key]

    def send(self, **message: Any) -> None:
        self._sink.write(msgspec.json.encode(message) + b"\n")
        self._sink.flush()

    async def _read(self) -> None:
        lines, loop = asyncio.StreamReader(2**26), asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), self._source)
        while line := await lines.readline():
            reply = msgspec.json.decode(line)
            self._boxes[reply["key"]].put_nowait(reply)
