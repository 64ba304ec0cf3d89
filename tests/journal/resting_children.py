"""Programs with a journal for each tenant, and few files: each prints what came of it.

python resting_children.py CASE
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
import threading
from pathlib import Path

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.core.commands import Pause
from outlast.core.events import RunStarted
from outlast.journal import SqliteJournal, open_journal
from outlast.journal.journal import Durability
from outlast.testing import ScriptedModel, assistant_message, function_call

TENANTS = 60
STARTED = RunStarted("desk", [])


@function_tool
def look() -> str:
    """A plain function, so it needs a thread."""
    return "seen"


def agent() -> Agent:
    call = [function_call("look", {}, call_id="c1")]
    return Agent(
        name="desk", model=ScriptedModel([call, [assistant_message("done")]]), tools=[look]
    )


def config(tenant: int, durability: Durability = "power") -> RunConfig:
    return RunConfig(journal=f"tenant-{tenant}.db", durability=durability)


async def a_run(tenant: int, name: str, durability: Durability = "power") -> bool:
    one = await Runner.run(agent(), "look", run_id=name, run_config=config(tenant, durability))
    return one.final_output == "done"


def one_after_another() -> int:
    return sum(asyncio.run(a_run(n, f"r{k}")) for k in range(2) for n in range(TENANTS))


def in_one_loop() -> int:
    async def main() -> int:
        done = 0
        for k in range(2):
            for start in range(0, TENANTS, 3):
                some = (a_run(n, f"r{k}", "process") for n in range(start, start + 3))
                done += sum(await asyncio.gather(*some))
        return done

    return asyncio.run(main())


def in_threads() -> int:
    done: list[bool] = []

    def work(first: int) -> None:
        for k in range(2):
            for n in range(TENANTS):
                tenant = (n * 7 + first) % TENANTS
                done.append(asyncio.run(a_run(tenant, f"r{k}-{first}")))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) // 3


def after_a_fork() -> int:
    before = one_after_another()
    child = os.fork()
    if not child:
        os._exit(0 if all(asyncio.run(a_run(n, "child")) for n in range(TENANTS)) else 1)
    status = os.waitpid(child, 0)[1]
    after = sum(asyncio.run(a_run(n, "after")) for n in range(TENANTS))
    return before if not status and after == TENANTS else -1


def by_commands_and_views() -> int:
    async def main() -> int:
        seen = 0
        for n in range(TENANTS):
            journal = open_journal(f"tenant-{n}.db")
            lease = await journal.acquire("r", new=True)
            await journal.append(lease, [STARTED])
            await journal.release(lease, waits=True)
        for n in range(TENANTS):
            journal = open_journal(f"tenant-{n}.db")
            await journal.post("r", Pause(id="p"))
            journal.health.get("model")
            seen += len(await journal.runs()) + len(await journal.read("r"))
        return seen

    return asyncio.run(main())


def a_run_that_is_held() -> int:
    """What a process holds stays its own, whoever else needs files; so does who watches a run."""

    async def main() -> int:
        journal = open_journal("held.db")
        lease = await journal.acquire("held", new=True)
        await journal.append(lease, [STARTED])
        heard: list[int] = []
        watched = open_journal("watched.db")

        async def watch() -> None:
            async for stored in watched.watch("r"):
                heard.append(stored.seq)  # noqa: PERF401  # somebody looks at it meanwhile

        other = await watched.acquire("r", new=True)
        await watched.append(other, [STARTED])
        await watched.release(other, waits=True)
        watcher = asyncio.create_task(watch())
        done = sum([await a_run(n, "r0") for n in range(TENANTS)])
        await journal.append(lease, [STARTED])
        elsewhere = SqliteJournal(Path("watched.db"), owned_by="somebody:1:1")
        again = await elsewhere.acquire("r")
        await elsewhere.append(again, [STARTED])
        async with asyncio.timeout(20):
            while len(heard) < 2:  # noqa: ASYNC110  # another connection writes
                await asyncio.sleep(0.01)
        watcher.cancel()
        await elsewhere.close()
        held = [run.owner_alive for run in await journal.runs()]
        return 2 * done if held == [True] and len(await journal.read("held")) == 2 else -1

    return asyncio.run(main())


def open_files() -> int:
    names: list[str] = []
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # The folder itself.
            names.append(str(file.readlink()))
    return sum("tenant-" in name for name in names)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    print("done", globals()[sys.argv[1]]())
    print("open", open_files() if Path("/proc/self/fd").exists() else 0)


if __name__ == "__main__":
    main()
