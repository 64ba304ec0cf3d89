"""A worker in this process, and scenarios that are played on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.worker import Replayer

from outlast.effects.config import coerce_run_config
from outlast.effects.place import here
from outlast.run.runner import AgentRunner, set_default_agent_runner
from outlast.temporal import (
    DirectoryStore,
    Program,
    TemporalEngine,
    TemporalSettings,
    connect,
    worker_of,
)
from outlast.temporal.codec import converter
from outlast.temporal.connecting import RUNNER
from outlast.temporal.workflow import OutlastRun


class Cluster(AgentRunner):
    """Runs what a scenario wants to run on a worker that has the scenario's program."""

    def __init__(self, client: Any, store: Any, name: str, settings: TemporalSettings) -> None:
        super().__init__()
        self.client, self._store, self.queue, self._settings = client, store, name, settings
        self._worker: Any = None
        self.engine = TemporalEngine(
            client, store, queue=name, prefix=f"{name}/", settings=settings
        )

    async def run(self, starting_agent: Any, input: Any, **options: Any) -> Any:
        if here() is None:
            self._work(starting_agent, options)
        return await super().run(starting_agent, input, **options)

    def run_streamed(self, starting_agent: Any, input: Any, **options: Any) -> Any:
        if here() is None:
            self._work(starting_agent, options)
        return super().run_streamed(starting_agent, input, **options)

    def _work(self, agent: Any, options: dict[str, Any]) -> None:
        """Perform the first program that is asked for, from now on."""
        session = options.get("session")
        program = Program(
            agent=agent,
            run_config=coerce_run_config(options.get("run_config")),
            hooks=options.pop("hooks", None),
            error_handlers=options.get("error_handlers"),
            session=None if session is None else lambda _: session,
        )
        if self._worker is None:
            self._worker = worker_of(
                self.client, self._store, program, queue=self.queue, settings=self._settings
            )
            self._task = asyncio.create_task(self._worker.run())

    def workflow_id(self, run_id: str) -> str:
        """What a run is called on the server."""
        return f"{self.queue}/{run_id}"

    async def replay(self) -> None:
        """Have every history of this cluster replayed, as a worker does that has forgotten all."""
        replayer = Replayer(
            workflows=[OutlastRun], data_converter=converter(self._store), workflow_runner=RUNNER
        )
        found = self.client.list_workflows(f"TaskQueue = '{self.queue}'")
        async for each in found.map_histories():
            await replayer.replay_workflow(each)

    async def close(self) -> None:
        if self._worker is not None:
            await self._worker.shutdown()
            await self._task


@asynccontextmanager
async def cluster(
    folder: Path, address: str, store: Any = None, data_converter: Any = None, **settings: Any
) -> AsyncGenerator[Cluster]:
    """A cluster of one worker, which performs what the default runner is asked for meanwhile."""
    store = store or DirectoryStore(folder / "store")
    client = await connect(store, address, data_converter=data_converter)
    runner = Cluster(client, store, f"q{os.urandom(6).hex()}", TemporalSettings(**settings))
    set_default_agent_runner(runner)
    try:
        yield runner
    finally:
        set_default_agent_runner(None)
        await runner.close()
