"""A worker to be killed:  worker_process.py PROGRAM FOLDER QUEUE"""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from outlast import Agent, ModelResponse, Usage, function_tool
from outlast.definitions.context import ToolContext
from outlast.definitions.model import Model
from outlast.temporal import DirectoryStore, Program, TemporalSettings, connect, worker_of
from outlast.testing import assistant_message, function_call

FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()


def did(what: str) -> None:
    """Remember, outside the run, that something was done."""
    handle = os.open(FOLDER / "done.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{what}\n".encode())
    os.close(handle)


def die_first(what: str) -> None:
    """End this process the first time of all that this is called."""
    mark = FOLDER / f"{what}.died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)


class Caller(Model):
    """Calls its tool once a turn, then answers with what came of the last call."""

    def __init__(self, tool: str, turns: int) -> None:
        self._tool, self._turns = tool, turns

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        outputs = [item["output"] for item in args[1] if "output" in item]
        did(f"model {len(outputs)}")
        if len(outputs) < self._turns:
            item: Any = function_call(self._tool, {"n": len(outputs)}, call_id=f"c{len(outputs)}")
        else:
            item = assistant_message(f"ended with {outputs[-1]}"[:200])
        return ModelResponse([item], Usage(requests=1), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@function_tool(on_uncertain="once")
def pay(n: int) -> str:
    """Pays, and takes its worker along."""
    did(f"pay {n}")
    die_first("pay")
    return "paid"


@function_tool
def look(n: int) -> str:
    """Looks, and takes its worker along."""
    did(f"look {n}")
    die_first("look")
    return "seen"


@function_tool
async def pack(ctx: ToolContext[Any], n: int) -> str:
    """Records a part of its work, and takes its worker along."""
    box = await ctx.step("box", lambda: did("box") or "box")
    die_first("pack")
    return f"{box} packed"


@function_tool
def plain(n: int) -> str:
    """What a workflow may not do: a clock, a file, a thread."""
    did(f"plain {n} {time.time() > 0}")
    thread = threading.Thread(target=lambda: Path(os.devnull).read_text())
    thread.start()
    thread.join()
    return "plain"


@function_tool
def big(n: int) -> str:
    """Returns ten megabytes."""
    return "x" * 10_000_000


# --- A chain of turns, for workers that are killed at any moment. ------------------------


def noted(what: str, run: str, turn: int) -> None:
    """Remember what was done, for whom and in which turn."""
    handle = os.open(FOLDER / "chain.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, json.dumps([what, run, turn]).encode() + b"\n")
    os.close(handle)


class Chain(Model):
    """Calls one tool after the other: what a run is asked is its name."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        run, turn = args[1][0]["content"], sum("output" in item for item in args[1])
        noted("model", run, turn)
        if turn < self._turns:
            name = ("fetch", "charge", "parts")[turn % 3]
            item: Any = function_call(name, {"run": run, "turn": turn}, call_id=f"c{turn}")
        else:
            item = assistant_message(f"{turn} turns")
        return ModelResponse([item], Usage(requests=1), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@function_tool
def fetch(run: str, turn: int) -> str:
    """May be done again."""
    time.sleep(0.05)
    noted("fetch", run, turn)
    return "fetched"


@function_tool(on_uncertain="once")
def charge(run: str, turn: int) -> str:
    """Must not be done twice."""
    noted("pay", run, turn)
    time.sleep(0.05)
    return "charged"


@function_tool
async def parts(ctx: ToolContext[Any], run: str, turn: int) -> str:
    """Done in parts."""
    for n in range(3):
        await ctx.step(f"part {n}", lambda n=n: noted(f"part {n}", run, turn))
    return "all parts"


def chain_agent(turns: int) -> Agent[Any]:
    """The program of `kills.py`."""
    return Agent(name="chain", model=Chain(turns), tools=[fetch, charge, parts])


# --- Many runs at once. ------------------------------------------------------------------


class Busy(Model):
    """Looks up what it is asked, and answers with that."""

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        asked = args[1][0]["content"]
        found = next((item["output"] for item in args[1] if "output" in item), None)
        call = function_call("look_up", {"what": asked}, call_id="c")
        return ModelResponse(
            [call if found is None else assistant_message(found)], Usage(requests=1), None
        )

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@function_tool
def look_up(what: str) -> str:
    """Look something up."""
    did(f"look {what} by {os.getpid()}")
    return f"looked up {what}"


def busy_agent() -> Agent[Any]:
    """A program of which many runs go on at once."""
    return Agent(name="busy", model=Busy(), tools=[look_up])


TOOLS = {"pay": pay, "look": look, "pack": pack, "plain": plain, "big": big}


def agent(name: str, turns: int = 2) -> Agent[Any]:
    """The program that calls the tool of this name."""
    return Agent(name=name, model=Caller(name, turns), tools=[TOOLS[name]])


async def main(name: str, queue: str) -> None:
    store = DirectoryStore(FOLDER / "store")
    client = await connect(store)
    settings = TemporalSettings(heartbeat_s=8.0)
    others = {"chain": lambda: chain_agent(8), "busy": busy_agent}
    program = Program(agent=others[name]() if name in others else agent(name))
    await worker_of(client, store, program, queue=queue, settings=settings).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[3]))
