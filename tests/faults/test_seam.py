"""The runner of fault programs judges what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parent / "run.py"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("right  edges/one.py: holds", 0),
        ("FAULT  edges/one.py: it fails", 1),
        ("right  edges/one.py: holds\\nFAULT  edges/completed_run_unreadable.py: it is lost", 0),
        ("", 1),
    ],
)
def test_only_what_is_excused_may_show_its_fault(tmp_path, said, status):
    (tmp_path / "run.py").write_text(f"print('{said}')\n")
    command = [sys.executable, str(RUNNER), str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == status


def test_every_excuse_has_a_reason():
    rows = (RUNNER.parent / "seam.txt").read_text().splitlines()
    assert all(len(row.split(None, 1)) == 2 for row in rows if row and row[0] != "#")
