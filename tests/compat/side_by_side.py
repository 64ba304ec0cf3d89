"""Run openai-agents' own examples under it and under Outlast, and compare what they print.

    python tests/compat/side_by_side.py FOLDER UPSTREAM_PYTHON [--only PART] [--json FILE]

FOLDER holds `examples`, from openai-agents' sdist. UPSTREAM_PYTHON has openai-agents installed. Each
example is one process per side, against a provider of its own that answers alike.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from outlast.testing.provider import ScriptedProvider

SOURCE = Path(__file__).parents[2] / "src"
ROOMS = ("sandbox", "mcp", "memory", "realtime", "voice")
"""Folders of examples that are not compared: their parts of openai-agents are measured elsewhere."""
EXPLAINED = {
    "agent_patterns/agents_as_tools_streaming": "prints the repr of an agent, with classes of openai-agents",
    "basic/agent_lifecycle_example": "tells of a tool's end once it is in the log, so beside other prints",
    "basic/non_strict_output_type": "prints the text of an error, which is in our words",
}
"""Examples whose outputs differ, and should."""
MINUTES = 1.5
_IDS = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"
    r"|\b(?:resp|msg|fc|call|trace|group|run|rs|conv|ws|item|span|scripted|offline|chatcmpl)[-_][\w-]+"
    r"|\b[0-9a-f]{24,}\b|0x[0-9a-f]+|/(?:tmp|work|root|home|var)/[\w./~-]+"
    r"|\b\d{4}-\d\d-\d\d[T ][\d:.]+(?:[+-]\d\d:?\d\d|Z)?|\b\d\d:\d\d:\d\d\b|\b\d+(?:\.\d+)? ?(?:ms|s|seconds)\b"
)


@dataclass
class Comparison:
    """What an example came to."""

    example: str
    verdict: str
    """equal, explained, different, or not run: and then why."""
    why: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("upstream", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", type=Path, help="write the page of documentation")
    options = parser.parse_args()
    found = [
        compare(options.folder, options.upstream, name)
        for name in entry_points(options.folder)
        if options.only in name
    ]
    if options.page:
        options.page.write_text(page(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1))
    for each in found:
        print(
            f"{each.verdict:10} {each.example}  {each.why.splitlines()[0][:150] if each.why else ''}"
        )
    return int(any(each.verdict == "different" for each in found))


def page(found: list[Comparison]) -> str:
    """The page of documentation about a whole run."""
    equal = sum(each.verdict == "equal" for each in found)
    able = sum(each.verdict != "not run" for each in found)
    lines = [
        "# Examples of openai-agents",
        "",
        "<!-- Written by `python tests/compat/side_by_side.py FOLDER UPSTREAM_PYTHON --page FILE`. -->",
        "",
        f"Each example of openai-agents' release, those of {', '.join(ROOMS[:-1])} and {ROOMS[-1]} aside,",
        "runs under it and, unmodified, under Outlast, each against a",
        "[provider](../howto/test-against-a-provider.md) of its own that answers alike. What they print is",
        f"compared, but for ids, times and paths. {able} of {len(found)} run under openai-agents there;",
        f"{equal} of these print the same under Outlast. The others:",
        "",
        "| example | why |",
        "|---|---|",
    ]
    for each in found:
        if each.verdict != "equal":
            why = (
                each.why.strip().splitlines()[0].replace("|", "/")[:160] if each.why.strip() else ""
            )
            note = "" if each.verdict == "not run" else f"{each.verdict}: "
            lines.append(f"| `{each.example}` | {note}{why} |")
    return "\n".join([*lines, ""])


def entry_points(folder: Path) -> list[str]:
    """The examples that can be run, those of the other rooms aside: `basic/hello_world`."""
    files = sorted((folder / "examples").rglob("*.py"))
    starts = re.compile(r"__name__\s*==\s*['\"]__main__['\"]")
    names = [
        file.relative_to(folder / "examples") for file in files if starts.search(file.read_text())
    ]
    return [str(name.with_suffix("")) for name in names if name.parts[0] not in ROOMS]


def compare(folder: Path, upstream: Path, name: str) -> Comparison:
    """Run one example on both sides."""
    theirs = run(folder, [str(upstream)], name)
    if theirs.returncode:
        return Comparison(name, "not run", last_line(theirs.stderr))
    ours = run(folder, [sys.executable, "-m", "outlast.compat"], name)
    if (ours.returncode, normal(ours.stdout)) == (theirs.returncode, normal(theirs.stdout)):
        return Comparison(name, "equal")
    if name in EXPLAINED and not ours.returncode:
        return Comparison(name, "explained", EXPLAINED[name])
    if "not installed" in last_line(ours.stderr):
        return Comparison(name, "not run", last_line(ours.stderr))
    why = f"status {ours.returncode}: {last_line(ours.stderr)}" if ours.returncode else ""
    return Comparison(name, "different", "\n".join([why, *difference(theirs.stdout, ours.stdout)]))


def run(folder: Path, command: list[str], name: str) -> subprocess.CompletedProcess[str]:
    """One side: an example as a module, from a folder of its own."""
    module = "examples." + name.replace("/", ".")
    with tempfile.TemporaryDirectory() as place, ScriptedProvider() as provider:
        shutil.copytree(
            folder / "examples",
            Path(place, "examples"),
            ignore=shutil.ignore_patterns("sandbox", "voice"),
        )
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("OUTLAST_", "OPENAI_"))},
            "OPENAI_BASE_URL": provider.base_url,
            "OPENAI_WEBSOCKET_BASE_URL": provider.websocket_base_url,
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_AGENTS_DISABLE_TRACING": "1",
            "EXAMPLES_INTERACTIVE_MODE": "auto",
            "PYTHONHASHSEED": "0",
            "COLUMNS": "250",  # An id that is broken over two lines is not known as one.
        }
        # Both sides draw the same random numbers.
        Path(place, "sitecustomize.py").write_text("import random\nrandom.seed(7)\n")
        more = (
            [str(SOURCE)]
            if command[0] == sys.executable
            else env.get("PYTHONPATH", "").split(os.pathsep)
        )
        env["PYTHONPATH"] = os.pathsep.join([place, *more])
        try:
            return subprocess.run(
                [*command, "-m", module],
                cwd=place, env=env, input="yes\n" * 20, text=True, capture_output=True,
                timeout=60 * MINUTES, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", "It did not end in time.")


def normal(text: str) -> list[str]:
    """What was printed, without what differs from run to run."""
    return [_IDS.sub("<id>", line.rstrip()) for line in text.splitlines() if line.strip()]


def difference(theirs: str, ours: str) -> list[str]:
    one, other = normal(theirs), normal(ours)
    pairs = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]][:3]
    lines = [f"- {a}\n+ {b}" for a, b in pairs]
    return [*lines, f"{len(one)} lines against {len(other)}"]


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip() and line[:1] not in " │╭╰─"]
    return lines[-1] if lines else text.strip()[-200:]


if __name__ == "__main__":
    sys.exit(main())
