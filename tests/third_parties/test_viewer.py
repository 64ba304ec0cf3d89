"""A viewer that others wrote, Arize Phoenix, shows a run that was killed and resumed as one tree.

`make thirdparties` installs it into an environment of its own and names it in OUTLAST_TEST_PHOENIX.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PHOENIX = os.environ.get("OUTLAST_TEST_PHOENIX", "")
SOURCE = Path(__file__).parents[2] / "src"
PROGRAM = Path(__file__).with_name("killed_program.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.thirdparties,
    pytest.mark.skipif(not PHOENIX, reason="make thirdparties"),
]
PATIENCE_S = 100
TREE = [
    ("invoke_workflow Agent workflow", ""),
    ("invoke_agent desk", "invoke_workflow Agent workflow"),
    ("turn 1", "invoke_agent desk"),
    ("chat", "turn 1"),
    ("execute_tool add", "turn 1"),  # In which the process died,
    ("execute_tool add", "turn 1"),  # and again.
    ("turn 2", "invoke_agent desk"),
    ("chat", "turn 2"),
    ("handoff closer", "turn 2"),
    ("invoke_agent closer", "invoke_workflow Agent workflow"),
    ("turn 3", "invoke_agent closer"),
    ("chat", "turn 3"),
]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as found:
        return json.load(found)


def eventually(fact: Callable[[], Any]) -> Any:
    """The first true answer of ``fact``."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if found := fact():
                return found
        except (OSError, urllib.error.URLError, ValueError):
            pass
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.2)


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    env = {
        **os.environ,
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_WORKING_DIR": str(tmp_path),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with (tmp_path / "phoenix.log").open("w") as log:
        server = subprocess.Popen([PHOENIX, "serve"], env=env, stdout=log, stderr=log)
    try:
        eventually(lambda: answer(f"http://127.0.0.1:{port}/v1/projects"))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.timeout(300)
def test_a_run_that_was_killed_and_resumed_is_one_tree_in_a_viewer(viewer: str, tmp_path: Path):
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "OUTLAST_JOURNAL": str(tmp_path / "j.db")}
    done = [
        subprocess.run(
            [sys.executable, str(PROGRAM), f"{viewer}/v1/traces", act],
            env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )
        for act in ("start", "resume")
    ]  # fmt: skip
    assert [each.returncode for each in done] == [-9, 0], done[1].stderr
    assert done[1].stdout.strip() == "done"

    def whole() -> list[Any]:
        found = answer(f"{viewer}/v1/projects/default/spans?limit=100")["data"]
        return found if len(found) >= len(TREE) else []

    spans = sorted(eventually(whole), key=lambda each: each["start_time"])
    names = {each["context"]["span_id"]: each["name"] for each in spans}
    assert [(each["name"], names.get(each["parent_id"], "")) for each in spans] == TREE
    assert len({each["context"]["trace_id"] for each in spans}) == 1
    tools = [each["status_code"] for each in spans if each["name"] == "execute_tool add"]
    assert tools == ["ERROR", "UNSET"]
