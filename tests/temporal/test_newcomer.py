"""The way from one machine to a cluster, as the guide has it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.services
GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "run-on-a-cluster.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_guide_s_commands_run_the_same_program_on_a_cluster(address: str, tmp_path: Path):
    (tmp_path / "desk.py").write_text(blocks("python")[0])
    commands = [line.removeprefix("$ ") for line in blocks("console")[0].splitlines()]
    assert len(commands) == 5
    url = next(each for each in commands if each.startswith("export")).split("'")[1]
    url = url.replace("localhost:7233", address).replace("/tmp/outlast-store", str(tmp_path / "s"))
    url += f"&queue=q{os.urandom(4).hex()}"
    env = {**os.environ, "OUTLAST_JOURNAL": url}

    def start(command: str) -> subprocess.Popen[str]:
        words = command.replace("outlast ", f"{sys.executable} -m outlast ", 1).split()
        words = [sys.executable if word == "python" else word for word in words]
        return subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)

    worker = start(f"{commands[3]} --alive alive")
    assert worker.stdout is not None
    try:
        assert "Working for" in worker.stdout.readline()
        while not (tmp_path / "alive").exists():
            time.sleep(0.05)
        output, _ = start(commands[4]).communicate(timeout=60)
        assert "refunded order 17" in output
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.stdout.close()


def test_the_program_of_the_guide_runs_here_without_a_cluster(tmp_path: Path):
    (tmp_path / "desk.py").write_text(blocks("python")[0])
    env = {name: value for name, value in os.environ.items() if not name.startswith("OUTLAST_")}
    done = subprocess.run(
        [sys.executable, "desk.py"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "refunded order 17" in done.stdout
