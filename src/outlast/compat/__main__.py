"""`python -m outlast.compat`: run a program of openai-agents unmodified, or look at what it uses."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from outlast.compat import install
from outlast.compat.check import check, report

_USAGE = """usage: python -m outlast.compat SCRIPT [ARGUMENTS ...]
       python -m outlast.compat -m MODULE [ARGUMENTS ...]
       python -m outlast.compat check PATH

Runs a Python program in which `import agents` means Outlast, or says which names of openai-agents
the files at PATH use and what Outlast does with them: 1 if one of them does not work.
"""


def main(words: list[str]) -> int:
    """Run the program that ``words`` name, as Python would. Returns 2 if they name none."""
    if not words or words[0] in ("-h", "--help") or words == ["-m"]:
        wants_help = words[:1] in (["-h"], ["--help"])
        (sys.stdout if wants_help else sys.stderr).write(_USAGE)
        return 0 if wants_help else 2
    if words[0] == "check" and len(words) == 2:  # noqa: PLR2004 (the word and the path)
        return _check(Path(words[1]))
    install()
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, "")
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return 0
    script = Path(words[0])
    if not script.is_file():
        sys.stderr.write(f"There is no file {str(script)!r}. Name a Python program.\n")
        return 2
    sys.argv = words
    sys.path[0] = str(script.resolve().parent)
    runpy.run_path(str(script), run_name="__main__")
    return 0


def _check(path: Path) -> int:
    if not path.exists():
        sys.stderr.write(f"There is nothing at {str(path)!r}. Name a Python file or a folder.\n")
        return 2
    findings = check(path)
    sys.stdout.write("\n".join(report(findings)) + "\n")
    return int(any(each.verdict != "works" for each in findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
