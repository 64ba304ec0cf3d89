"""Write a golden journal of this layout: `python tests/golden/write_journal.py`, once per layout.

A file that a version has written is never written again: that later versions go on with it is the
point. It holds a run that is completed, one that failed, one that waits for a person, one inside a
tool of another, and one whose process was killed inside a tool.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from outlast import Agent, RunConfig, Runner, Tool, function_tool
from outlast.core.errors import MaxTurnsExceeded
from outlast.core.identity import RunMetadata
from outlast.journal.database import LAYOUT
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.testing.steps import ModelScriptItem

FOLDER = Path(__file__).parent / "journals"
PROMPT = "You refund orders, and say so. " * 40
"""Long enough to be stored as a blob."""
DONE = [assistant_message("done")]


@function_tool
def look(order: str) -> str:
    """Look an order up."""
    return f"{order}: 20 EUR"


@function_tool(needs_approval=True)
def refund(order: str) -> str:
    """Refund an order."""
    return f"{order} refunded"


@function_tool(on_uncertain="retry")
def ship(order: str) -> str:
    """Ship an order; the process of the golden journal is killed in here."""
    if os.environ.get("OUTLAST_GOLDEN_KILL"):
        os._exit(9)
    return f"{order} shipped"


def desk(*script: ModelScriptItem) -> Agent:
    """The agent that all runs of the journal began with."""
    clerk = Agent(name="clerk", model=ScriptedModel([[assistant_message("asked")]]))
    tools: list[Tool] = [look, refund, ship, clerk.as_tool("ask_clerk", "Ask the clerk.")]
    return Agent(name="desk", instructions=PROMPT, tools=tools, model=ScriptedModel([*script]))


def call(name: str, **arguments: str) -> ModelScriptItem:
    """A reply that calls one tool."""
    return [function_call(name, arguments, call_id=f"call-{name}")]


def write(path: Path) -> None:
    """Every run; the process is killed in the last one."""
    config = RunConfig(journal=str(path))
    whose = RunMetadata(user="ada", tenant="acme", session_id="s1", tags=("vip",))
    labelled = RunConfig(journal=str(path), metadata=whose)
    again = call("look", order="A")
    run = Runner.run_sync
    run(desk(again, DONE), "Look", run_id="completed", run_config=labelled)
    run(desk(call("ask_clerk", input="A"), DONE), "Ask", run_id="parent", run_config=config)
    run(desk(call("refund", order="A")), "Refund", run_id="waiting", run_config=config)
    with contextlib.suppress(MaxTurnsExceeded):
        run(desk(again, again), "Look", run_id="failed", max_turns=1, run_config=config)
    os.environ["OUTLAST_GOLDEN_KILL"] = "1"
    run(desk(call("ship", order="A")), "Ship", run_id="interrupted", run_config=config)


def main() -> None:
    """Write the file, with all of it in one place."""
    target = FOLDER / f"layout{LAYOUT}.db"
    if target.exists():
        sys.exit(f"{target} is there already, and stays as it is.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        subprocess.run([sys.executable, __file__, str(path)], check=False)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        FOLDER.mkdir(exist_ok=True)
        shutil.copy(path, target)


if __name__ == "__main__":
    if sys.argv[1:]:
        write(Path(sys.argv[1]))
    else:
        main()
