"""Golden histories: what a server has kept of runs, with what the store has beside it.

    python tests/temporal/golden_kit.py    records those that are not there yet; needs a server

They stay as they are: a workflow that began under an older version goes on under this one, so every
history that was ever recorded must be accepted by a replay. A change of the workflow's commands goes
behind `workflow.patched`, and gets a history of its own in a new folder.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from outlast.core.errors import JournalCorrupt

GOLDEN = Path(__file__).with_name("golden")
SCENARIOS = ["plain", "parallel_tools", "approval", "nested_agents", "hooks_and_steps", "retried"]
"""Of runs that a caller begins, each as a whole and in several histories."""
WORKFLOWS = [
    "HelloWorldAgent", "ToolsWorkflow", "AgentLifecycleWorkflow", "CustomerServiceWorkflow",
    "BlockingWorkflow", "AgentsAsToolsWorkflow", "InputGuardrailsWorkflow",
]  # fmt: skip
"""Of programs that call `Runner.run` themselves."""


class MemoryStore:
    """A store that is written to a golden file, and read from it."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        self._data = {name: base64.b64decode(data) for name, data in (known or {}).items()}

    async def put(self, data: bytes, name: str | None = None) -> str:
        """See `Store`."""
        name = name or blake2b(data, digest_size=20).hexdigest()
        self._data[name] = data
        return name

    async def get(self, name: str) -> bytes:
        """See `Store`."""
        if name not in self._data:
            raise JournalCorrupt(f"There is nothing under {name!r}.")
        return self._data[name]

    def written(self) -> dict[str, str]:
        """Everything, as JSON has it."""
        return {name: base64.b64encode(data).decode() for name, data in self._data.items()}


def save(name: str, history: WorkflowHistory, store: MemoryStore) -> None:
    """Write a golden file."""
    said = {"id": history.workflow_id, "store": store.written()}
    text = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history.to_json())
    said["history"] = json.loads(text.replace(socket.gethostname(), "host"))
    (GOLDEN / "v1" / f"{name}.json").write_text(json.dumps(said, separators=(",", ":")) + "\n")


def load(path: Path) -> tuple[WorkflowHistory, MemoryStore]:
    """A history, and its store."""
    said = json.loads(path.read_text())
    return WorkflowHistory.from_json(said["id"], said["history"]), MemoryStore(said["store"])


async def record_runs(folder: Path, address: str) -> None:
    from chaoskit.scenarios import SCENARIOS as KNOWN
    from chaoskit.world import World
    from cluster_kit import cluster

    for scenario in SCENARIOS:
        for length in (2000, 12):
            place, store = folder / f"{scenario}-{length}", MemoryStore()
            place.mkdir()
            async with cluster(place, address, store, events_per_history=length) as there:
                world: Any = World(place)
                world.journal = there.engine.journal
                await KNOWN[scenario](world)
                client = await there.engine.journal.client()
                found = client.list_workflows(f"TaskQueue = '{there.queue}'").map_histories()
                number = 0
                async for history in found:
                    number += 1
                    save(f"{scenario}-{length}-{number}", history, store)


async def record_workflows(folder: Path, address: str) -> None:
    import test_guide

    with test_guide.guide(folder / "did.log"):
        url = await asyncio.to_thread(test_guide.pong_url)
        played = await test_guide.play(address, url, 1000, WORKFLOWS)
        for name, history in played.histories.items():
            save(name, history, MemoryStore())


async def main() -> None:
    address = os.environ["TEMPORAL_ADDRESS"]
    (GOLDEN / "v1").mkdir(parents=True, exist_ok=True)
    if any((GOLDEN / "v1").iterdir()):
        sys.exit("v1 is there, and stays as it is. Record into a folder of its own.")
    with tempfile.TemporaryDirectory() as folder:
        await record_runs(Path(folder), address)
        await record_workflows(Path(folder), address)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "chaos")]
    asyncio.run(main())
