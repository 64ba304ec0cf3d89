"""A stand-in for the program `codex`: a real process that says what it got, and what it is told to.

Its folder holds `script.json`, a list of steps, and gets `calls.jsonl`, a line for each start.
"""

import json
import os
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).parent


def main() -> None:
    prompt = sys.stdin.read()
    schema = next(
        (a for a, b in zip(sys.argv[1:], sys.argv, strict=False) if b == "--output-schema"), None
    )
    call = {
        "argv": sys.argv[1:],
        "prompt": prompt,
        "key": os.environ.get("CODEX_API_KEY"),
        "schema": schema and json.loads(Path(schema).read_text()),
        "pid": os.getpid(),
    }
    with (HERE / "calls.jsonl").open("a") as file:
        file.write(json.dumps(call) + "\n")
    for step in json.loads((HERE / "script.json").read_text()):
        if "exit" in step:
            sys.stderr.write(step.get("says", ""))
            sys.exit(step["exit"])
        if "silent" in step:
            time.sleep(step["silent"])
        else:
            print(step["raw"] if "raw" in step else json.dumps(step), flush=True)


main()
