"""Compare what a turn costs with what it costs elsewhere: `make bench`.

Every measurement is a fresh process; the peers take turns, forwards and then backwards, so that a
slow minute of the machine hits all of them. Compared is CPU time, as a ratio to openai-agents.
Writes benchmarks/RESULTS.md, and the raw figures to benchmarks/results/raw.jsonl.

    python benchmarks/compare.py [--peers a,b] [--scenarios x,y] [--reps 3] [--seconds 1.5]
    python benchmarks/compare.py --setup       # only make the environments in .bench/
    python benchmarks/compare.py --table       # only write the tables again
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent
VENVS = ROOT / ".bench"
RAW = HERE / "results" / "raw.jsonl"
RESULTS = HERE / "RESULTS.md"
MAX_FOREIGN_CORES = 0.8  # A sample taken beside busier neighbours counts only if there is no other.

REQUIREMENTS = {
    "outlast": ["-e", str(ROOT)],
    "openai_agents": ["openai-agents==0.24.0"],
    "agent_framework": ["agent-framework-core"],
    "agno": ["agno", "openai", "sqlalchemy", "aiosqlite", "greenlet"],
    "pydantic_ai": ["pydantic-ai-slim"],
    "langgraph": ["langgraph", "langchain", "langchain-core", "langgraph-checkpoint-sqlite"],
}

SPEED = (
    "build",
    "single",
    "single10t",
    "loop10",
    "par50",
    "par800",
    "long200",
    "stream1000",
    "conc",
)
WIRE = ("wire_stream", "wire_stream_chat", "wire_paced", "wire_single")
DISK = ("durable_loop", "durable_conc", "fsyncs", "size200")


class Peer(NamedTuple):
    label: str
    driver: str
    variant: str
    scenarios: tuple[str, ...]


PEERS = (
    Peer("outlast", "outlast", "process", ("import", *SPEED, *WIRE, *DISK)),
    Peer("outlast (power-safe)", "outlast", "power", ("single", "loop10", *DISK)),
    Peer("outlast (in memory)", "outlast", "memory", ("single", "loop10", "long200", "conc")),
    Peer("openai-agents", "openai_agents", "", ("import", *SPEED, *WIRE, *DISK)),
    Peer("openai-agents (no tracing)", "openai_agents", "notrace", (*SPEED, *WIRE, *DISK)),
    Peer("agent-framework", "agent_framework", "", ("import", *SPEED)),
    Peer("agno", "agno", "", ("import", *SPEED, *DISK)),
    Peer("pydantic-ai", "pydantic_ai", "", ("import", *SPEED)),
    Peer("langgraph", "langgraph", "", ("import", *SPEED, *DISK)),
    Peer("hand-written loop", "floor", "", (*SPEED, *DISK)),
)
BASE = "openai-agents"


class Column(NamedTuple):
    scenario: str
    figure: str
    title: str


COLUMNS = (
    Column("import", "cpu_ms", "import, ms"),
    Column("build", "cpu_us", "agent + 10 tools, µs"),
    Column("single", "cpu_us", "run without tools, µs"),
    Column("single10t", "cpu_us", "the same, agent has 10 tools, µs"),
    Column("loop10", "cpu_us", "turn with a tool call, µs"),
    Column("par50", "cpu_us", "one of 50 parallel calls, µs"),
    Column("par800", "cpu_us", "one of 800 parallel calls, µs"),
    Column("long200", "turn10_us", "10th turn of a run, µs"),
    Column("long200", "turn200_us", "200th turn of a run, µs"),
    Column("stream1000", "cpu_us", "streamed delta, µs"),
    Column("wire_single", "cpu_us", "run over HTTP, µs"),
    Column("wire_stream", "cpu_us", "streamed delta over HTTP, µs"),
    Column("wire_stream_chat", "cpu_us", "the same, Chat Completions, µs"),
    Column("wire_paced", "cpu_us", "the same, Responses, each delta a packet, µs"),
    Column("conc", "cpu_us_50", "turn, 50 runs at once, µs"),
    Column("conc", "cpu_us_2000", "turn, 2,000 runs at once, µs"),
    Column("conc", "kb_per_run", "memory per run in flight, KB"),
    Column("durable_loop", "cpu_us", "turn kept on disk, µs"),
    Column("durable_loop", "wall_us", "the same, wall time, µs"),
    Column("durable_conc", "cpu_us", "turn kept on disk, 200 runs at once, µs"),
    Column("fsyncs", "per_turn", "fsyncs a turn"),
    Column("size200", "kb", "200 turns on disk, KB"),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", default="", help="labels, with commas")
    parser.add_argument("--scenarios", default="", help="names, with commas")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    peers = [p for p in PEERS if p.label in options.peers.split(",") or not options.peers]
    if not options.table:
        set_up({peer.driver for peer in peers} & set(REQUIREMENTS))
    if not options.setup and not options.table:
        scenarios = [name for name in options.scenarios.split(",") if name]
        run_all(peers, scenarios, reps=options.reps, seconds=options.seconds)
    if not options.setup:
        page = tables(load())
        RESULTS.write_text(page)
        print(page)


# -- environments ------------------------------------------------------------------------------


def python_of(driver: str) -> str:
    """Return the interpreter of a driver; `BENCH_PYTHON_<DRIVER>` names one that exists already."""
    given = os.environ.get(f"BENCH_PYTHON_{driver.upper()}")
    if given or driver not in REQUIREMENTS:
        return given or sys.executable
    return str(VENVS / driver / "bin" / "python")


def set_up(drivers: set[str]) -> None:
    for driver in sorted(drivers):
        python = Path(python_of(driver))
        if python.exists():
            continue
        print(f"Making an environment for {driver} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENVS / driver)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        if subprocess.run([*pip, *REQUIREMENTS[driver]], check=False).returncode:
            print(f"{driver} could not be installed; the tables go without it.", flush=True)
            shutil.rmtree(VENVS / driver)


# -- measuring ---------------------------------------------------------------------------------


def run_all(peers: list[Peer], scenarios: list[str], *, reps: int, seconds: float) -> None:
    RAW.parent.mkdir(exist_ok=True)
    wanted = scenarios or ["import", *SPEED, *WIRE, *DISK]
    with RAW.open("a") as file:
        for rep in range(reps):
            for name in wanted:
                for peer in peers if rep % 2 == 0 else reversed(peers):
                    if name not in peer.scenarios or not Path(python_of(peer.driver)).exists():
                        continue
                    row = measure(peer, name, seconds)
                    row |= {"label": peer.label, "scenario": name, "at": int(time.time())}
                    file.write(json.dumps(row) + "\n")
                    file.flush()
                    said = row.get("figures") or row.get("error")
                    print(f"{rep + 1}/{reps} {name:13} {peer.label:26} {said}"[:150], flush=True)


def measure(peer: Peer, scenario: str, seconds: float) -> dict[str, Any]:
    if scenario == "fsyncs":
        return count_fsyncs(peer)
    return run_process(command(peer, scenario, seconds), {})


def command(peer: Peer, scenario: str, seconds: float) -> list[str]:
    script = [python_of(peer.driver), str(HERE / "measure.py"), peer.driver, scenario]
    return [*script, "--variant", peer.variant, "--seconds", str(seconds)]


def run_process(words: list[str], more: dict[str, str]) -> dict[str, Any]:
    """Run one measurement, without keys of the caller, in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="outlast-bench-") as folder:
        env = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        env |= {"BENCH_TMP": folder, "PYTHONHASHSEED": "0", **more}
        try:
            done = subprocess.run(
                words, cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=False
            )
        except subprocess.TimeoutExpired:
            return {"error": "took more than 15 minutes"}
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else {"error": done.stderr[-300:]}


def count_fsyncs(peer: Peer) -> dict[str, Any]:
    """Count the marginal fsyncs of a turn: a run of 40 turns minus one of 20."""
    if shutil.which("strace") is None:
        return {"error": "strace is not installed"}
    counts: list[int] = []
    for turns in (20, 40):
        with tempfile.NamedTemporaryFile("r", suffix=".strace") as file:
            strace = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", file.name]
            done = run_process([*strace, *command(peer, "fsyncs", 0)], {"BENCH_TURNS": str(turns)})
            if "error" in done:
                return done
            counts.append(len(re.findall(r"\b(?:fsync|fdatasync)\(", file.read())))
    return {"figures": {"per_turn": (counts[1] - counts[0]) / 20}}


# -- tables ------------------------------------------------------------------------------------


def load() -> list[dict[str, Any]]:
    if not RAW.exists():
        return []
    return [json.loads(line) for line in RAW.read_text().splitlines()]


def figure(rows: list[dict[str, Any]], label: str, column: Column) -> float | None:
    """Return the median over repetitions, of the quiet ones where there are any."""
    samples = [
        row
        for row in rows
        if row["label"] == label and row["scenario"] == column.scenario and row.get("figures")
    ]
    quiet = [row for row in samples if row.get("foreign_cores", 0) <= MAX_FOREIGN_CORES]
    values = [row["figures"][column.figure] for row in quiet or samples]
    return statistics.median(values) if values else None


def tables(rows: list[dict[str, Any]]) -> str:
    labels = [peer.label for peer in PEERS if any(row["label"] == peer.label for row in rows)]
    about = (
        f"Written by `make bench` on Python {platform.python_version()}, {os.cpu_count()} cores."
        " CPU time, the median of fresh processes; in brackets the ratio to openai-agents."
        " The model answers at once, so this is the SDK's own work; over HTTP, also the `openai`"
        " client's, which reads from a server in another process. Outlast keeps a journal on"
        " disk in every column; the others keep something only where the row says so."
    )
    head = ["| | " + " | ".join(labels) + " |", "|---|" + "--:|" * len(labels)]
    parts = ["# What it costs", "", about, "", *head]
    for column in COLUMNS:
        figures = {label: figure(rows, label, column) for label in labels}
        base = figures.get(BASE)
        cells = [cell(figures[label], base, is_base=label == BASE) for label in labels]
        parts.append(f"| {column.title} | " + " | ".join(cells) + " |")
    return "\n".join([*parts, "", versions(rows), ""])


def cell(value: float | None, base: float | None, *, is_base: bool) -> str:
    if value is None:
        return "-"
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return text if is_base or not base else f"{text} ({value / base:.2f})"


def versions(rows: list[dict[str, Any]]) -> str:
    found: dict[str, str] = {}
    for row in rows:
        found |= row.get("versions", {})
    return "Versions: " + ", ".join(f"{name} {found[name]}" for name in sorted(found)) + "."


if __name__ == "__main__":
    main()
