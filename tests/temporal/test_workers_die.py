"""Workers are killed; the run goes on at another one, and repeats nothing that is recorded."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_process import agent

from outlast import Runner
from outlast.temporal import DirectoryStore, TemporalEngine, TemporalSettings, connect

pytestmark = pytest.mark.services


class Workers:
    """Processes that perform one program. Whoever has died is replaced by another one."""

    def __init__(self, name: str, folder: Path) -> None:
        self.queue = f"w{os.urandom(6).hex()}"
        self._command = [sys.executable, str(Path(__file__).with_name("worker_process.py"))]
        self._command += [name, str(folder), self.queue]
        self._workers = [self._start() for _ in range(2)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command)

    def died(self) -> int:
        """How many were killed."""
        return sum(each.poll() == -9 for each in self._workers)

    def close(self) -> None:
        for each in self._workers:
            each.kill()
            each.wait()


@pytest.fixture
def workers(request: pytest.FixtureRequest, tmp_path: Path, address: str) -> Iterator[Workers]:
    made = Workers(request.param, tmp_path)
    yield made
    made.close()


async def run(name: str, folder: Path, address: str, queue: str):
    store = DirectoryStore(folder / "store")
    settings = TemporalSettings(heartbeat_s=8.0)
    engine = TemporalEngine(await connect(store, address), store, queue=queue, settings=settings)
    result = await Runner.run(agent(name), "go", engine=engine, run_id=f"{queue}-run")
    again = await Runner.run(agent(name), "go", engine=engine, run_id=f"{queue}-run")
    assert again.final_output == result.final_output
    return result


def done(folder: Path) -> Counter[str]:
    return Counter((folder / "done.log").read_text().splitlines())


@pytest.mark.parametrize(
    ("workers", "name", "output", "repeated"),
    [
        ("pay", "pay", "paid", {}),
        ("look", "look", "seen", {"look 0": 2}),
        ("pack", "pack", "box packed", {}),
    ],
    indirect=["workers"],
)
async def test_a_killed_worker_s_run_goes_on_at_another_one(
    workers: Workers, name: str, output: str, repeated: dict[str, int], tmp_path: Path, address: str
):
    result = await run(name, tmp_path, address, workers.queue)
    assert result.final_output == f"ended with {output}"
    assert workers.died() == 1
    counts = done(tmp_path)
    models = {key: count for key, count in counts.items() if key.startswith("model")}
    assert models == {"model 0": 1, "model 1": 1, "model 2": 1}
    assert {key: n for key, n in counts.items() if n > 1 and key != "box"} == repeated


@pytest.mark.parametrize("workers", ["pay"], indirect=True)
async def test_a_tool_that_must_not_run_twice_is_in_doubt_when_its_worker_dies(
    workers: Workers, tmp_path: Path, address: str
):
    result = await run("pay", tmp_path, address, workers.queue)
    outputs = [item.output for item in result.new_items if item.type == "tool_call_output_item"]
    assert "unknown" in outputs[0]
    assert outputs[1] == "paid"
    assert done(tmp_path)["pay 0"] == 1


@pytest.mark.parametrize("workers", ["plain"], indirect=True)
async def test_tools_may_do_what_a_workflow_may_not(workers: Workers, tmp_path: Path, address: str):
    result = await run("plain", tmp_path, address, workers.queue)
    assert result.final_output == "ended with plain"
    assert done(tmp_path)["plain 0 True"] == 1


@pytest.mark.parametrize("workers", ["big"], indirect=True)
async def test_ten_megabytes_of_a_tool_pass(workers: Workers, tmp_path: Path, address: str):
    result = await run("big", tmp_path, address, workers.queue)
    sizes = [len(item.output) for item in result.new_items if item.type == "tool_call_output_item"]
    assert sizes == [10_000_000, 10_000_000]
