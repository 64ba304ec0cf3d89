"""Mistakes that a type checker has to find in users' programs."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "typing" / "wrong"
SOURCE = Path(__file__).parents[1] / "src"
MARK = re.compile(r"#\s*wrong:\s*([\w, ]+)$")


def marks(path):
    lines = path.read_text().splitlines()
    return {
        number: match[1]
        for number, line in enumerate(lines, start=1)
        if (match := MARK.search(line))
    }


@pytest.mark.slow
def test_each_wrong_line_fails_to_check_and_no_other_does(tmp_path):
    for path in FOLDER.glob("*.py"):
        shutil.copy(path, tmp_path)
    config = {
        "extraPaths": [str(SOURCE)],
        "typeCheckingMode": "standard",
        "pythonVersion": "3.11",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, "-p", str(tmp_path)], capture_output=True, text=True, check=False
    )
    seen = {}
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        line = each["range"]["start"]["line"] + 1
        seen.setdefault((Path(each["file"]).name, line), set()).add(each["rule"])
    expected = {
        (path.name, line): set(rules.split(", "))
        for path in FOLDER.glob("*.py")
        for line, rules in marks(path).items()
    }
    assert seen == expected
