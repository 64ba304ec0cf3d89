"""A second engine: the loop runs in Temporal's workflow sandbox, and activities perform its effects."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("temporalio", reason="of the extra dev, and not on every platform")

HOST = Path(__file__).parent / "sandbox" / "host.py"


@pytest.fixture(scope="module")
def ended() -> dict[str, object]:
    done = subprocess.run([sys.executable, str(HOST)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_run_is_driven_in_the_sandbox_to_its_end(ended):
    assert (ended["ended"], ended["output"]) == ("RunCompleted", "order 7 is on its way")


def test_a_workflow_reads_what_a_run_has_cost_without_the_provider_s_library(ended):
    assert ended["cached_tokens"] == 0


def test_activities_hand_back_what_tools_recorded_on_the_way(ended):
    log = json.loads(ended["log"])
    steps = [event["name"] for event in log if event["type"] == "step.recorded"]
    results = [event["item"]["output"] for event in log if event["type"] == "tool.returned"]
    assert (steps, results) == (["find"], ["order 7, 11 tokens so far"])


def test_hooks_hear_of_calls_and_handoffs_that_other_activities_performed(ended):
    assert ended["heard"] == ["desk: look: order 7, 11 tokens so far", "desk to clerk"]
