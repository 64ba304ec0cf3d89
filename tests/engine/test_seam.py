"""Who writes the log of a run: the loop, and the life of the run. Nobody who performs its effects."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from outlast.core.events import Event, ModelReplied, StepRecorded, ToolReturned
from outlast.effects.outcome import HookCall, Outcome

SOURCE = Path(__file__).parents[2] / "src" / "outlast"
LIFE = {
    "engine/changed.py", "engine/drive.py", "engine/env.py", "engine/fit.py", "engine/local.py", "engine/local_runs.py",
    "engine/log.py", "engine/past_spans.py", "engine/relatives.py", "engine/spans.py",
}  # fmt: skip
"""Modules of the engine that may know the log: the loop, and what begins, takes over, watches a run."""
WRITERS = {"changed", "log", "env", "drive", "local", "local_runs", "fit", "past_spans", "relatives", "spans"}  # fmt: skip
NAMES = {"effects/config.py", "effects/place.py"}
"""What says where the logs of runs are kept, and passes it on."""
# Temporal and replays have loops and logs of their own: they are engines.
LEAVES = {"cli", "testing", "demo", "compat", "mcp", "journal", "run", "temporal", "replay"}


def modules() -> list[str]:
    paths = (path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
    return sorted(str(path) for path in paths if path.parts[0] not in LEAVES)


PERFORMERS = [path for path in modules() if path not in LIFE]


def imports(path: str) -> set[str]:
    tree = ast.parse((SOURCE / path).read_text())
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {f"{node.module}.{alias.name}" for node in froms for alias in node.names} | {
        str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }


@pytest.mark.parametrize("path", PERFORMERS)
def test_no_module_but_those_of_a_run_s_life_knows_its_log(path: str):
    barred = {f"outlast.engine.{name}" for name in WRITERS}
    assert imports(path) & barred == set()


@pytest.mark.parametrize(
    "path",
    [each for each in PERFORMERS if each.startswith(("calls/", "effects/")) and each not in NAMES],
)
def test_no_performer_knows_a_journal(path: str):
    assert [name for name in imports(path) if name.startswith("outlast.journal")] == []


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_the_loop_loads_no_database_no_network_and_no_provider():
    # What asyncio loads by itself is not the loop's doing.
    loaded = loaded_by("import outlast.engine.drive") - loaded_by("import asyncio")
    assert not loaded & {"sqlite3", "_sqlite3", "ssl", "socket", "openai", "httpx", "pydantic"}


def test_naming_the_journal_opens_no_database():
    assert "sqlite3" not in loaded_by("import outlast.journal")


def test_an_outcome_is_the_same_after_a_way_through_json():
    events: list[Event] = [
        StepRecorded("t1.a", "pack", {"box": 3}),
        ToolReturned(
            "t1.a", "a", {"type": "function_call_output", "output": "box"}, value={"is": 1}
        ),
        ModelReplied("m1", "desk", [{"type": "message"}], ()),
    ]
    hooks = [
        HookCall("on_handoff", "h1.b", "desk", "clerk"),
        HookCall("on_tool_end", "t1.a", "desk"),
    ]
    outcome = Outcome(events, hooks, {"abc": b"\x00\xff text"})
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome
