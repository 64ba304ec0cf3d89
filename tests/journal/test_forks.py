"""A forked process has everything of its parent's, and may use none of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ANSWERS = {
    "run": "said done",
    "process": "said done",
    "threads": "said done done done done",
    "health": "said 0 known",
    "held": "said AlreadyRunning",
}
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")]


@pytest.mark.parametrize(
    "where", ["idle", "busy", "twice", "thread", "fork", "spawn", "forkserver"]
)
@pytest.mark.parametrize("case", ANSWERS)
def test_a_child_works_as_if_it_had_begun_by_itself(tmp_path: Path, where: str, case: str):
    script = Path(__file__).with_name("fork_children.py")
    command = [sys.executable, "-W", "ignore", str(script), where, case]
    told = subprocess.run(
        command, check=True, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    lines = told.stdout.splitlines()
    said = [line for line in lines if line.startswith("said")]
    assert said == [ANSWERS[case]] * (3 if where == "busy" else 1), told.stderr[-2000:]
    assert "parent done" in lines
    assert "check ok" in lines
    (kept,) = (line.split()[1:] for line in lines if line.startswith("kept"))
    named = {name for name in kept if not (len(name) == 32 and "-" not in name)}
    children = [f"busy-{n}" for n in range(3)] if where == "busy" else ["child"]
    if case == "threads":
        children = [f"{child}-{n}" for child in children for n in range(4)]
    expected = {"before", "after", "held"} | ({"worker"} if where == "twice" else set())
    assert named == expected | (set(children) if case in ("run", "process", "threads") else set())
