"""A process that has used everything, and forks: what its children can still do.

Each case is a function; it is run in a child that was forked where `main` says, and its answer is
printed. A child that hangs is killed by whoever reads.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from outlast import Agent, RunConfig, Runner, SQLiteSession, function_tool
from outlast.core.errors import AgentsException
from outlast.journal import SqliteJournal, open_journal
from outlast.testing import ScriptedModel, assistant_message, function_call

FILE = "runs.db"


@function_tool
def look(order: int) -> str:
    """A plain function, so it needs a thread."""
    return f"seen {order}"


def agent(order: int) -> Agent:
    call = [function_call("look", {"order": order}, call_id="c1")]
    return Agent(
        name="desk", model=ScriptedModel([call, [assistant_message("done")]]), tools=[look]
    )


def config(durability: str = "power") -> RunConfig:
    return RunConfig(journal=FILE, durability=durability)


SESSION = SQLiteSession("ada", "talks.db")


def a_run(run_id: str, durability: str = "power") -> str:
    result = Runner.run_sync(
        agent(1), "look", run_id=run_id, session=SESSION, run_config=config(durability)
    )
    return str(result.final_output)


def runs_by_loops_in_threads(run_id: str) -> str:
    said: list[str] = []

    def work(n: int) -> None:
        one = Runner.run(agent(n), "look", run_id=f"{run_id}-{n}", run_config=config())
        said.append(str(asyncio.run(one).final_output))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return " ".join(said)


def health_of_models(run_id: str) -> str:
    health = open_journal(FILE).health
    asyncio.run(health.change(run_id, lambda kept: (kept, None)))
    return f"{len(health.all())} known"


def a_run_of_the_parent(run_id: str) -> str:
    """The parent still holds it: a child must not go on with it beside it."""
    del run_id
    try:
        a_run("held")
    except AgentsException as error:
        return type(error).__name__
    return "taken"


CASES: dict[str, Callable[[str], str]] = {
    "run": a_run,
    "process": lambda run_id: a_run(run_id, "process"),
    "threads": runs_by_loops_in_threads,
    "health": health_of_models,
    "held": a_run_of_the_parent,
}


def say(case: str, run_id: str) -> None:
    try:
        print("said", CASES[case](run_id), flush=True)
    except BaseException as error:  # noqa: BLE001  # whoever reads it says what is right
        print("said", repr(error), flush=True)


def fork(case: str, run_id: str) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            say(case, run_id)
        finally:
            os._exit(0)
    return pid


def forked_in_a_thread(case: str) -> None:
    thread = threading.Thread(target=lambda: os.waitpid(fork(case, "child"), 0))
    thread.start()
    thread.join()


def by_multiprocessing(method: str, case: str) -> None:
    process = multiprocessing.get_context(method).Process(target=say, args=(case, "child"))
    process.start()
    process.join()


async def hold() -> object:
    journal = open_journal(FILE)
    lease = await journal.acquire("held", new=True)
    from outlast.core.events import RunStarted

    await journal.append(
        lease, [RunStarted("desk", [{"content": "look", "role": "user"}], is_text=True)]
    )
    return lease


def forked_while_busy(case: str) -> None:
    """Other threads commit, read and write to the session at the very moment."""
    stop = time.monotonic() + 1.0

    def work(n: int) -> None:
        while time.monotonic() < stop:
            a = Runner.run(agent(n), "look", session=SESSION, run_config=config("process"))
            asyncio.run(a)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for each in threads:
        each.start()
    time.sleep(0.3)
    pids = []
    for n in range(3):
        time.sleep(0.05)
        pids.append(fork(case, f"busy-{n}"))
    for each in threads:
        each.join()
    for pid in pids:
        os.waitpid(pid, 0)


def main(where: str, case: str) -> None:
    a_run("before")
    loop = asyncio.new_event_loop()  # Open for as long as the run is to be held.
    lease = loop.run_until_complete(hold())
    if where == "idle":
        os.waitpid(fork(case, "child"), 0)
    elif where == "busy":
        forked_while_busy(case)
    elif where == "thread":
        forked_in_a_thread(case)
    elif where in ("fork", "spawn", "forkserver"):
        by_multiprocessing(where, case)
    elif where == "twice":  # A worker that forks workers.
        pid = os.fork()
        if pid == 0:
            a_run("worker")
            os.waitpid(fork(case, "child"), 0)
            os._exit(0)
        os.waitpid(pid, 0)
    print("parent", a_run("after"), flush=True)
    del lease
    loop.close()
    kept = sorted(run.run_id for run in asyncio.run(open_journal(FILE).runs()) if run.parent == "")
    print("kept", *kept, flush=True)
    assert isinstance(open_journal(FILE), SqliteJournal)
    with closing(sqlite3.connect(Path(FILE))) as db, db:
        print("check", *db.execute("PRAGMA integrity_check").fetchone(), flush=True)
    db.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
