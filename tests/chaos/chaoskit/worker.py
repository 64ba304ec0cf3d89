"""A process that holds a program, and performs effects of its runs that others ask for over a pipe."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from chaoskit.world import World
from outlast.core.budgets import Ledger
from outlast.core.decide import decide
from outlast.core.errors import machine_error
from outlast.core.events import Event
from outlast.core.evolve import fold
from outlast.core.state import RunState
from outlast.effects.config import coerce_run_config
from outlast.effects.failures import error_facts
from outlast.effects.hook_calls import tell_hooks
from outlast.effects.live import Live
from outlast.effects.outcome import HookCall, Outcome
from outlast.effects.performers import perform
from outlast.effects.place import HERE, Place
from outlast.effects.purse import purse_of
from outlast.effects.registry import Registry
from outlast.effects.scope import RunScope
from outlast.effects.view import RunView, restored_context
from outlast.run.runner import AgentRunner, set_default_agent_runner


class Program(BaseException):
    """What a scenario runs, told instead of run."""

    def __init__(self, agent: Any, options: dict[str, Any]) -> None:
        self.agent, self.options = agent, options


class _Told(AgentRunner):
    async def run(self, starting_agent: Any, input: Any, **options: Any) -> Any:
        raise Program(starting_agent, options)

    def run_streamed(self, starting_agent: Any, input: Any, **options: Any) -> Any:
        raise Program(starting_agent, options)


class Worker:
    """Holds agents, tools, a session. Keeps nothing of a run between two effects."""

    def __init__(self, world: World, program: Program, sink: BinaryIO) -> None:
        self._world, self._sink = world, sink
        self._agents, self._options = Registry(program.agent), program.options
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._emitted: dict[str, asyncio.Future[None]] = {}

    def take(self, message: dict[str, Any]) -> None:
        key = message["key"]
        if message["act"] == "emitted":
            self._emitted.pop(key).set_result(None)
        elif message["act"] == "cancel":
            if task := self._tasks.get(key):
                task.cancel()
        else:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(self._answer(message))
            task.add_done_callback(lambda _: self._tasks.pop(key))

    async def _answer(self, message: dict[str, Any]) -> None:
        key = message["key"]
        try:
            self._send(key=key, outcome=await self._performed(message))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # whoever asked judges it
            self._send(key=key, error=error_facts(machine_error(error) or error, message["effect"]))

    async def _performed(self, message: dict[str, Any]) -> Outcome:
        view = self._view(message)
        if message["act"] == "tell":
            for call in msgspec.convert(message["hooks"], list[HookCall]):
                await tell_hooks(call, view)
            return Outcome([])

        async def emit(*events: Event) -> None:
            future = self._emitted[message["key"]] = asyncio.get_running_loop().create_future()
            self._send(key=message["key"], emit=events)
            await future

        effect = next(each for each in decide(view.state) if each.id == message["effect"])
        HERE.set(Place(view, effect.id, emit, self._world.journal))
        return await perform(effect, view, emit)

    def _view(self, message: dict[str, Any]) -> RunView:
        journal, state = self._world.journal, fold(msgspec.convert(message["log"], list[Event]))
        context = restored_context(self._options.get("context"), state)

        async def blobs(name: str) -> bytes:
            return journal.blobs.get(name)

        config = coerce_run_config(self._options.get("run_config"))
        return RunView(
            run_id=message["run_id"],
            state=state,
            agents=self._agents,
            context=context,
            config=config,
            hooks=self._options.get("hooks"),
            session=self._options.get("session"),
            error_handlers=self._options.get("error_handlers"),
            live=Live(),
            blobs=blobs,
            health=lambda: journal.health,
            durability="process",
            scope=RunScope(message["run_id"]),
            purse=purse_of(
                config, None, _Spender(message["run_id"], message["epoch"], state, journal)
            ),
        )

    def _send(self, **message: Any) -> None:
        self._sink.write(msgspec.json.encode(message) + b"\n")
        self._sink.flush()


@dataclass
class _Spender:
    """A run that the other process performs, and this one spends for."""

    run_id: str
    epoch: int
    state: RunState
    journal: Any

    def spent_ledger(self) -> Ledger:
        return self.journal.ledger


async def _serve(world: World, play: Any, pipes: tuple[BinaryIO, BinaryIO]) -> None:
    set_default_agent_runner(_Told())
    try:
        await play(world)
    except Program as program:
        worker = Worker(world, program, pipes[1])
    set_default_agent_runner(None)  # Runs inside tools are performed here, whole.
    while line := await asyncio.to_thread(pipes[0].readline):
        worker.take(msgspec.json.decode(line))


def fork_worker(folder: Path, play: Any) -> tuple[BinaryIO, BinaryIO]:
    """Start a worker that dies with this process. Returns what it says, and where to ask."""
    source, sink = os.pipe(), os.pipe()
    parent = os.getpid()
    if os.fork():
        os.close(source[1])
        os.close(sink[0])
        return os.fdopen(source[0], "rb"), os.fdopen(sink[1], "wb")
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.close(source[0])
        os.close(sink[1])
        if os.getppid() == parent:
            pipes = os.fdopen(sink[0], "rb"), os.fdopen(source[1], "wb")
            asyncio.run(_serve(World(folder), play, pipes))
    except BaseException as error:  # noqa: BLE001  # the process ends here, whatever it is
        print(repr(error), file=sys.stderr)
    finally:
        os._exit(0)
