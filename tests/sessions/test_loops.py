"""One session object serves whoever has it: one loop after another, other threads, a forked child."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sessions.backends import EVERY_BACKEND

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import asyncio, os, sys, threading
from pathlib import Path
from tests.sessions.backends import Backend

name, what = sys.argv[1:]
session = Backend(name, Path()).open()


async def add(text):
    await session.add_items([{"role": "user", "content": text}])
    return len(await session.get_items())


async def beside(elsewhere):
    counts = [await add("1")]
    counts.append(await elsewhere())
    return [*counts, await add("3")]


async def thread():
    return await asyncio.to_thread(lambda: asyncio.run(add("2")))


async def fork():
    if (child := os.fork()) == 0:
        told = threading.Thread(target=lambda: asyncio.run(add("2")), daemon=True)
        told.start()
        told.join(30)
        os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        await asyncio.sleep(0.02)
    return len(await session.get_items())


async def many():
    texts = [str(number) for number in range(20)]
    await asyncio.gather(*map(add, texts))


if what == "loops":
    print([asyncio.run(add(text)) for text in "123"])
elif what == "at once":
    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print([asyncio.run(add("last"))])
else:
    print(asyncio.run(beside({"thread": thread, "fork": fork}[what])))
sys.stdout.flush()
os._exit(0)
"""
NO_FORKS = ("dapr",)
"""gRPC works in no forked child whose parent has used it, by its own documentation."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "counts"),
    [
        ("loops", [1, 2, 3]),
        ("thread", [1, 2, 3]),
        ("fork", [1, 2, 3]),
        ("at once", [61]),
    ],
)
@pytest.mark.parametrize("name", EVERY_BACKEND)
def test_a_session_is_used_everywhere(name: str, what: str, counts: list[int], tmp_path: Path):
    if what == "fork" and (name in NO_FORKS or not hasattr(os, "fork")):
        return
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, name, what],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == [str(counts)], done.stderr[-3000:]
