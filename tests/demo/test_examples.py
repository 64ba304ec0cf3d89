"""Every example runs without a key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "hello.py": "sunny in Lisbon",
    "handoffs.py": "[Billing]",
    "survive_a_crash.py": "killed",
    "approval.py": "waits for a person: send_money",
    "agents_as_tools.py": "EUR 49",
    "structured_output.py": "2027-03-01",
    "session.py": "4 items in the session",
    "guardrail.py": "stopped by no_secrets",
}


def test_every_example_is_listed():
    assert {file.name for file in EXAMPLES.glob("*.py")} == set(SAYS)
    table = (EXAMPLES / "README.md").read_text()
    assert all(f"`{name}`" in table for name in SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_offline(name, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI")}
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert SAYS[name] in result.stdout
