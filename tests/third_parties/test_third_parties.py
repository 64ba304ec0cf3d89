"""Tools for watching openai-agents' programs attach unmodified, and see the tree of a run.

Each is the newest that its makers publish, in an environment of its own, which `make thirdparties` makes
and names in OUTLAST_TEST_THIRD_PARTIES.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

PYTHON = os.environ.get("OUTLAST_TEST_THIRD_PARTIES", "")
SOURCE = Path(__file__).parents[2] / "src"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.thirdparties,
    pytest.mark.skipif(not PYTHON, reason="make thirdparties"),
]
BY_NAME = [
    ("sums", ""), ("sums", "sums"), ("desk", "sums"), ("turn", "desk"), ("generation", "turn"),
    ("add", "turn"), ("turn", "desk"), ("generation", "turn"), ("handoff to closer", "turn"),
    ("closer", "sums"), ("turn", "closer"), ("generation", "turn"),
]  # fmt: skip
CHAT = "Chat completion with {gen_ai.request.model!r}"
TURN = "Turn {turn} for agent "
AGENT = "Agent run: {name!r}"
TREES = {
    "logfire": [
        ("OpenAI Agents trace: {name}", ""),
        ("Task: sums", "OpenAI Agents trace: {name}"),
        (AGENT, "Task: sums"),
        (f"{TURN}desk", AGENT), (CHAT, f"{TURN}desk"), ("Function: {name}", f"{TURN}desk"),
        (f"{TURN}desk", AGENT), (CHAT, f"{TURN}desk"),
        ("Handoff: {from_agent} → {to_agent}", f"{TURN}desk"),
        (AGENT, "Task: sums"), (f"{TURN}closer", AGENT), (CHAT, f"{TURN}closer"),
    ],
    "openinference": BY_NAME,
    "langfuse": BY_NAME,
    "traceloop": [
        ("Agent Workflow", ""),
        ("desk.agent", "Agent Workflow"), ("openai.response", "desk.agent"),
        ("add.tool", "desk.agent"), ("openai.response", "desk.agent"),
        ("desk → unknown.handoff", "desk.agent"),
        ("closer.agent", "Agent Workflow"), ("openai.response", "closer.agent"),
    ],
    "langsmith": [
        ("sums", ""), ("sums", "sums"), ("desk", "sums"), ("Span", "desk"), ("Generation", "Span"),
        ("add", "Span"), ("Span", "desk"), ("Generation", "Span"), ("Handoff", "Span"),
        ("closer", "sums"), ("Span", "closer"), ("Generation", "Span"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("tool", TREES)
def test_a_tool_sees_the_tree_of_a_run_with_a_tool_and_a_handoff(tool: str, tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OUTLAST_JOURNAL": "memory"}
    environment |= {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "none"}
    program = Path(__file__).with_name("watched_program.py")
    ran = subprocess.run(
        [PYTHON, str(program), tool],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    lines = [line for line in ran.stdout.splitlines() if line.startswith("TREE ")]
    assert lines, ran.stdout + ran.stderr
    assert [tuple(pair) for pair in json.loads(lines[0][5:])] == TREES[tool]
