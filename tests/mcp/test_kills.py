"""Killed at each append around MCP calls: nothing recorded is repeated, and no child is left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.mcp.conftest import SHOP
from tests.mcp.servers.buyer import Buyer

from outlast import Agent, RunConfig, Runner
from outlast.core.errors import RunNotFound
from outlast.core.events import EffectStarted, ToolReturned
from outlast.journal import MemoryJournal, open_journal
from outlast.mcp import MCPServerStdio
from outlast.testing import CrashingJournal

BUYER = Path(__file__).parent / "servers" / "buyer.py"
REPEATABLE = {"price"}


def bought(folder: Path, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program in ``folder``."""
    folder.mkdir(exist_ok=True)
    env = {
        **os.environ,
        "OUTLAST_HOME": str(folder),
        "SHOP_LOG": str(folder / "shop.log"),
        "OUTLAST_CRASH_AT": crash_at or "0",
    }
    return subprocess.run(
        [sys.executable, str(BUYER)],
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def notes(folder: Path) -> list[dict[str, object]]:
    """What the shop was asked for, by every process that there was."""
    log = folder / "shop.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def is_alive(pid: int) -> bool:
    """Whether a process is there, and is not just waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def require_gone(pids: set[int], seconds: float = 8) -> None:
    """Fail if one of the processes is still there after a while."""
    until = time.monotonic() + seconds
    while left := {pid for pid in pids if is_alive(pid)}:
        assert time.monotonic() < until, f"left behind: {left}"
        time.sleep(0.05)


async def check(folder: Path, point: str) -> None:
    """Kill the program at ``point``, run it again, and look at what became of its calls."""
    assert bought(folder, point).returncode == -9
    try:
        log = await open_journal(folder / "journal.db").read("r")
    except RunNotFound:
        log = []  # Killed before its first event.
    recorded = {each.event.call_id for each in log if isinstance(each.event, ToolReturned)}
    begun = {
        each.event.id.partition(".")[2] for each in log if isinstance(each.event, EffectStarted)
    }
    before = notes(folder)
    require_gone({int(str(each["pid"])) for each in before})
    again = bought(folder)
    assert again.stdout.startswith("done"), again.stderr
    after = notes(folder)[len(before) :]
    repeated = {str(each["item"]) for each in after if each["tool"] in ("price", "order")}
    assert not repeated & recorded, (point, recorded)
    in_doubt = {call for call in begun - recorded if call.startswith("c")}
    for call, tool in (("c1", "price"), ("c2", "order"), ("c3", "order")):
        if call in in_doubt:
            assert (call in repeated) is (tool in REPEATABLE), (point, call)
    orders = [each["item"] for each in before + after if each["tool"] == "ordered"]
    assert len(orders) == len(set(orders)), point


@pytest.mark.slow
async def test_a_kill_at_an_append_repeats_nothing_that_is_recorded(tmp_path: Path):
    whole = bought(tmp_path / "whole")
    for number, point in enumerate(points(int(whole.stdout.split()[-1]))):
        await check(tmp_path / str(number), point)


def points(appends: int) -> list[str]:
    """Some of the moments before and after that many appends, or all of them."""
    some = os.environ.get("OUTLAST_MCP_KILLS", "2")
    every = [f"{n}:{moment}" for n in range(1, appends + 1) for moment in ("before", "after")]
    return every if some == "all" else random.Random(7).sample(every, min(int(some), len(every)))


@pytest.mark.slow
async def test_of_a_server_killed_at_an_append_nothing_is_asked_twice(tmp_path: Path):
    whole = CrashingJournal(MemoryJournal())
    await buy(tmp_path / "whole", whole)
    for number, point in enumerate(points(whole.appends)):
        n, moment = point.split(":")
        place: Any = {"at": int(n), "moment": moment}
        await buy(
            tmp_path / str(number), CrashingJournal(MemoryJournal(), crash=kill_shops, **place)
        )
        calls = [(note["tool"], note["item"]) for note in notes(tmp_path / str(number))]
        assert len(calls) == len(set(calls)), (point, calls)


async def buy(folder: Path, journal: CrashingJournal) -> None:
    """Run the agent here; what happens to its server must not be the end of it."""
    folder.mkdir()  # noqa: ASYNC240 (nothing else is going on)
    params: Any = {
        "command": sys.executable,
        "args": [str(SHOP), "stdio"],
        "env": {"SHOP_LOG": str(folder / "shop.log"), "SHOP_DELAY": "0.1"},
    }
    async with MCPServerStdio(params, name="shop", client_session_timeout_seconds=60) as server:
        agent = Agent(name="Buyer", model=Buyer(), mcp_servers=[server])
        result = await Runner.run(agent, "buy", run_config=RunConfig(journal=journal))
    assert result.final_output == "done"
    outputs = [each for each in result.new_items if each.type == "tool_call_output_item"]
    assert len(outputs) == 3


def kill_shops() -> None:
    """Kill the server's process, and not the one that looks after it."""
    for pid in descendants(os.getpid()):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if str(SHOP).encode() in words and b"-S" not in words:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_program_leaves_no_server_behind(tmp_path: Path):
    for number in range(int(os.environ.get("OUTLAST_MCP_ORPHANS", "3"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        env = {**os.environ, "OUTLAST_HOME": str(folder), "SHOP_LOG": str(folder / "shop.log")}
        program = subprocess.Popen(
            [sys.executable, str(BUYER)],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(random.Random(number).uniform(0.1, 2.5))
        below = descendants(program.pid)
        program.kill()
        program.wait()
        require_gone(below)


def descendants(pid: int) -> set[int]:
    """The processes below one, however deep."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found
