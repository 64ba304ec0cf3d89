"""The first program of the README does what the README says: it runs again for nothing, and shows its steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
PROGRAM = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
SHOWN = re.search(r"```text\n(run ticket-17.*?)```", README, re.DOTALL)[1]
ASKS = """
from outlast.models.offline import OfflineModel

def refuse(*_, **__):
    raise AssertionError("a model was asked")

OfflineModel.get_response = OfflineModel.stream_response = refuse
"""


def test_the_first_program_runs_again_without_a_model_and_shows_its_steps(tmp_path):
    def python(*words):
        env = {**os.environ, "OUTLAST_HOME": str(tmp_path / "home"), "PYTHONIOENCODING": "utf-8"}
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    (tmp_path / "desk.py").write_text(PROGRAM)
    (tmp_path / "again.py").write_text(ASKS + PROGRAM)
    assert python("desk.py") == python("again.py")
    shown = python("-m", "outlast", "show", "ticket-17")
    assert without_times(shown)[:5] == without_times(SHOWN)


def without_times(text):
    """How the lines begin: the times differ, and with their width what there is room for."""
    return [line[:60].rstrip() for line in text.splitlines()]
