"""Run every fault program of a folder: `python tests/faults/run.py FOLDER [ARGS of its run.py]`.

Fails if a program shows its fault that is not excused in `seam.txt`, or if nothing ran.
"""

import re
import subprocess
import sys
from pathlib import Path

LINE = re.compile(r"(right|FAULT)  \S*?(\w+)\.py: ")


def excused() -> dict[str, str]:
    """The programs of `seam.txt`, with their reasons."""
    lines = (Path(__file__).parent / "seam.txt").read_text("utf-8").splitlines()
    rows = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return dict(rows)


def main(folder: str, *words: str) -> int:
    """Run them, repeat what they say, and judge it."""
    command = [sys.executable, str(Path(folder) / "run.py"), "--jobs", "2", *words]
    seen: dict[str, str] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if found := LINE.match(line):
                seen[found[2]] = found[1]
    faulty = {name for name, word in seen.items() if word == "FAULT"}
    for name in sorted(faulty & set(excused())):
        print(f"excused: {name}: {excused()[name]}")
    for name in sorted(faulty - set(excused())):
        print(f"FAULTY: {name}")
    return 0 if seen and faulty <= set(excused()) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
