"""Run openai-agents' public tests against Outlast, compare with what is known, write the table.

    python tests/conformance/run.py ../shared/conformance [--update] [--area AREA ...]

Needs the conformance runner in a folder beside the repository. `known_failures.txt` says what
does not hold yet; it only shrinks. What fails unexpectedly is run again, alone: many of these tests
wait for real time, and a busy machine is no regression.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KNOWN = HERE / "known_failures.txt"
DELIBERATE = HERE / "deliberate.txt"
"""What is to fail: docs/compatibility.md says why."""
REPORTS = ROOT / ".conformance" / "reports"
PAGE = ROOT / "docs" / "compatibility.md"
RETRIES = 2
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runner", type=Path, help="the folder that holds conformance.py")
    parser.add_argument("--update", action="store_true", help="rewrite known_failures.txt")
    parser.add_argument("--area", nargs="+", help="only these areas; the table stays as it is")
    options = parser.parse_args()
    REPORTS.mkdir(parents=True, exist_ok=True)
    every = areas(options.runner)
    reports = [run(options.runner, area) for area in options.area or every]
    failed = {function(node) for report in reports for node in report["failures"]}
    if options.update:
        KNOWN.write_text("".join(f"{node}\n" for node in sorted(failed)))
    known = set(KNOWN.read_text().split()) if KNOWN.exists() else set[str]()
    known |= set(DELIBERATE.read_text().split())
    unexpected = failed - known
    for _ in range(RETRIES):
        unexpected = again(options.runner, unexpected)
    for node in sorted(unexpected):
        print(f"UNEXPECTED FAILURE {node}")
    passed = {function(node) for report in reports for node in report["passed"]} - failed
    for node in sorted(known & passed):
        print(f"NOW PASSES (take it off {KNOWN.name}) {node}")
    total = summed(reports)
    if not options.area:
        write_table([*zip(every, reports, strict=True), ("TOTAL", total)])
    row = total["areas"]["TOTAL"]
    print(f"{row['passed']} of {row['cases']} cases pass; {len(unexpected)} unexpected failures")
    return bool(unexpected)


def areas(runner: Path) -> list[str]:
    """The areas of the visible list."""
    lines = (runner / "lists" / "visible.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return sorted({row[1] for row in rows if row[2].isdigit()})


def run(runner: Path, area: str, *more: str) -> dict:
    """The report of one area. A worker that dies takes its results along, so then without any."""
    path = REPORTS / f"{area}.json"
    for jobs in ("2", "1"):
        path.unlink(missing_ok=True)
        command = [sys.executable, "conformance.py", "--impl", "outlast", "--area", area]
        command += ["--jobs", jobs, "--json", str(path), *more]
        env = {"OUTLAST_JOURNAL": "memory", **os.environ}
        subprocess.run(command, cwd=runner, env=env, check=False)
        if path.exists():
            return json.loads(path.read_text())
    sys.exit(f"The area {area} could not be run; its pytest.log says why.")


def again(runner: Path, nodes: set[str]) -> set[str]:
    """Those of ``nodes`` that fail once more."""
    if not nodes:
        return nodes
    known = {}
    for line in (runner / "lists" / "visible.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            known[line.split("\t")[0]] = line.split("\t")[1]
    still: set[str] = set()
    for area in sorted({known[node] for node in nodes}):
        mine = {node for node in nodes if known[node] == area}
        names = " or ".join(sorted(node.rpartition("::")[2] for node in mine))
        report = run(runner, area, "-k", names)
        still |= mine & {function(node) for node in report["failures"]}
    return still


def function(node: str) -> str:
    return node.partition("[")[0]


def summed(reports: list[dict]) -> dict:
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report["areas"].get("TOTAL", {}))
    return {"areas": {"TOTAL": total}}


def write_table(reports: list[tuple[str, dict]]) -> None:
    """Put the figures of a whole run between the marks in docs/compatibility.md."""
    rows = ["| area | test functions that pass | cases that pass |", "|---|--:|--:|"]
    for area, report in reports:
        row = report["areas"].get("TOTAL")
        if not row or not row["cases"]:
            continue
        name = "**all**" if area == "TOTAL" else area.replace("_", " ")
        share = 100 * row["passed"] / row["cases"]
        functions = f"{row['functions passed']} of {row['functions']}"
        rows.append(f"| {name} | {functions} | {row['passed']} of {row['cases']} ({share:.1f} %) |")
    table = "\n".join([BEGIN, "", *rows, "", END])
    page = PAGE.read_text()
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: table, page, flags=re.DOTALL))


if __name__ == "__main__":
    sys.exit(main())
