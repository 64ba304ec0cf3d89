"""A process that has imported everything and forks a child for each request.

    python warm.py            reads one request a line, answers each with one line

A request is JSON: scenario, folder, what else `World` takes, and `many` for children that start at
the same moment. The answer holds each child's exit status. A child writes its outcome to
`<folder>/outcome.<number>.json`. Fresh interpreters do the same: `python warm.py once '<request>'`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaoskit.elsewhere import Elsewhere, Pipe
from chaoskit.scenarios import SCENARIOS, SPECIAL
from chaoskit.worker import fork_worker
from chaoskit.world import World
from outlast import ModelResponse, Usage
from outlast.models.streaming import reply_events
from outlast.run.runner import AgentRunner, set_default_agent_runner
from outlast.testing import assistant_message, function_call


def perform(request: dict[str, Any], number: int = 0) -> int:
    """Play a scenario in this process. Returns an exit status; a crash point may prevent that."""
    folder = Path(request.pop("folder"))
    play = (SCENARIOS | SPECIAL)[request.pop("scenario")]
    request.pop("many", None)
    facts: dict[str, Any] = {}
    if request.pop("elsewhere", False):
        pipe = Pipe(*fork_worker(folder, play))
        set_default_agent_runner(AgentRunner(engine=lambda env: Elsewhere(env, pipe)))
    try:
        world = World(folder, **request)
        facts["outcome"] = asyncio.run(play(world))
        facts["appends"] = world.appends
    except Exception as error:  # noqa: BLE001 (the parent judges it)
        facts["error"] = type(error).__name__
        facts["text"] = str(error)
        facts["trace"] = "".join(traceback.format_exception(error, limit=-3))
    (folder / f"outcome.{number}.json").write_text(json.dumps(facts))
    return 1 if "error" in facts else 0


def fork(request: dict[str, Any], number: int, gate: tuple[int, int]) -> int:
    """Start a child that performs the request when the writing end of ``gate`` is closed."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.close(gate[1])
        os.read(gate[0], 1)
        code = perform(request, number)
    finally:
        os._exit(code)


def warm_up() -> None:
    """Do what children would do over and over: import what is imported late, build what is built late."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "modules")
        pid = os.fork()
        if pid == 0:
            before = set(sys.modules)
            for scenario in SCENARIOS:
                perform({"scenario": scenario, "folder": folder})
            names.write_text("\n".join(sorted(set(sys.modules) - before)))
            os._exit(0)
        os.waitpid(pid, 0)
        for name in names.read_text().split():
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    output = [assistant_message("hi"), function_call("look", {"order": 1}, call_id="a")]
    list(reply_events(ModelResponse(output=output, usage=Usage(), response_id=None), model="rules"))


def serve() -> None:
    """Answer requests until the input ends."""
    warm_up()
    gc.collect()
    gc.freeze()  # Children share these pages; counting references in a collection would copy them.
    for line in sys.stdin:
        request = json.loads(line)
        gate = os.pipe()
        pids = [fork(request, number, gate) for number in range(request.get("many", 1))]
        for end in gate:
            os.close(end)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps({"codes": codes}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["once"]:
        sys.exit(perform(json.loads(sys.argv[2])))
    serve()
