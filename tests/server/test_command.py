"""`outlast serve` as a process: it says where it is, and leaves when it is told to."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

import outlast

PROGRAM = """
from outlast import Agent
from outlast.server import App

desk = Agent(name="Desk", model="offline")
app = App(agents=[desk], auth={auth})
"""
PATIENCE_S = 60
pytestmark = pytest.mark.slow


def serve(folder: Path, *words: str, auth: str = "'local'") -> subprocess.Popen[str]:
    (folder / "desk.py").write_text(PROGRAM.format(auth=auth))
    environment = {**os.environ, "PYTHONPATH": str(Path(outlast.__file__).parents[1])}
    command = [sys.executable, "-m", "outlast", "serve", "desk.py", *words]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_it_says_where_it_is_and_leaves_with_0(tmp_path: Path):
    with serve(tmp_path, "--port", "0") as process:
        try:
            assert process.stdout is not None
            head = "".join(process.stdout.readline() for _ in range(6))
            (url,) = re.findall(r"(http://\S+)/api/v1", head)
            (token,) = re.findall(r"token +(\S+)", head)
            answer = _asked(url, token)
            assert answer["status"] == "completed"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def _asked(url: str, token: str) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=30"}
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            sent = httpx2.post(
                f"{url}/api/v1/runs", json={"input": "Hello"}, headers=headers, timeout=40
            )
            return sent.json()
        except httpx2.ConnectError:
            assert time.monotonic() < end


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "Anybody could ask"),
        (["--port", "{taken}"], "outlast serve ... --port"),
        (["--port", "0", "--ssl-keyfile"], "requires an argument"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path: Path, words: list[str], says: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = [word.format(taken=taken.getsockname()[1]) for word in words]
        with serve(tmp_path, *told) as process:
            shown, _ = process.communicate(timeout=PATIENCE_S)
    assert says in shown
    assert process.returncode == 2


def test_a_worker_performs_what_is_due_and_ends(tmp_path: Path):
    import asyncio

    from outlast import Agent, RunConfig
    from outlast.run.enqueue import enqueue

    (tmp_path / "desk.py").write_text(
        'from outlast import Agent\ndesk = Agent(name="Desk", model="offline")\n'
    )
    file = str(tmp_path / "journal.db")

    async def begun() -> list[str]:
        agent, config = Agent(name="Desk"), RunConfig(journal=file)
        return [(await enqueue(agent, "Hello", run_config=config))[0] for _ in range(3)]

    run_ids = asyncio.run(begun())
    path = str(Path(outlast.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": path, "OUTLAST_JOURNAL": file}
    command = [sys.executable, "-m", "outlast", "worker", "desk.py", "--once"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=PATIENCE_S)
    from outlast.journal import open_journal

    rows = asyncio.run(open_journal(file).runs())
    assert {row.run_id: row.status for row in rows} == dict.fromkeys(run_ids, "completed")
