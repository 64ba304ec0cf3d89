"""Outlast beside Temporal's plug-in for openai-agents, on one server in one run; writes RESULTS.md here.

    python benchmarks/temporal/compare.py [--turns 10 50 100] [--repeat 2]

Needs a Temporal server (`python3 tests/services.py up temporal`) and makes an environment for the
plug-in in `.bench`. Times are of one busy machine: read the ratios.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLUGIN = HERE.parents[1] / ".bench" / "temporal-plugin"
PACKAGES = ["temporalio-openai-agents==1.1.0", "openai-agents<0.23"]
TOOL_BYTES = "5000"


def plugin_python() -> str:
    """The interpreter of the plug-in's environment, which is made if there is none."""
    python = PLUGIN / "bin" / "python"
    if not python.exists():
        venv.create(PLUGIN, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return str(python)


def measured(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def row(turns: int, repeat: int) -> str:
    """A line of the table: the least of each time, and what the two differ by."""
    with tempfile.TemporaryDirectory() as folder:
        ours = [
            measured([sys.executable, str(HERE / "ours.py"), str(turns), TOOL_BYTES, folder])
            for _ in range(repeat)
        ]
    theirs = [
        measured([plugin_python(), str(HERE / "plugin.py"), str(turns), TOOL_BYTES])
        for _ in range(repeat)
    ]
    cells = [f"{turns}"]
    for name, unit in (("bytes", 1), ("events", 1), ("cpu_s", 1000), ("wall_s", 1000)):
        mine, other = (min(each[name] for each in runs) for runs in (ours, theirs))
        per = unit / (turns + 1)
        cells.append(f"{mine * per:,.0f} / {other * per:,.0f} = {mine / other:.3f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, nargs="+", default=[10, 50, 100])
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    lines = [
        "# Outlast and Temporal's plug-in for openai-agents",
        "",
        "One tool call of 5 KB a turn, 3 KB of instructions, per turn: Outlast / plug-in = ratio. The tool is a",
        "plain function here and an activity of its own there. Written by `benchmarks/temporal/compare.py`.",
        f"The machine has {os.cpu_count()} cores, and a load of {os.getloadavg()[1]:.0f} as this began.",
        "",
        "| turns | history, bytes | history, events | worker's CPU, ms | wall, ms |",
        "|--:|--:|--:|--:|--:|",
        *(row(turns, options.repeat) for turns in options.turns),
    ]
    text = "\n".join(lines) + "\n"
    (HERE / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
