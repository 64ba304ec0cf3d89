"""A server is used by whoever has the object: in any loop, thread and forked child."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SHOP = Path(__file__).with_name("servers") / "shop.py"


async def price(server: Any) -> str:
    result = await server.call_tool("price", {"item": "tea"})
    return result.content[0].text


@pytest.mark.slow
def test_one_loop_after_another(shop: Any):
    server = shop.server()

    async def first() -> str:
        await server.connect()
        return await price(server)

    assert [asyncio.run(each) for each in (first(), price(server), price(server))] == [
        "tea: 7 EUR"
    ] * 3
    assert asyncio.run(server.list_tools())
    asyncio.run(server.cleanup())


async def test_the_loops_of_other_threads_meanwhile(shop: Any):
    def elsewhere() -> tuple[str, int]:
        async def both() -> tuple[str, int]:
            return await price(server), len(await server.list_tools())

        return asyncio.run(both())

    async with shop.server() as server:
        here = price(server)
        threads = [asyncio.to_thread(elsewhere) for _ in range(3)]
        one, *others = await asyncio.gather(here, *threads)
        await asyncio.to_thread(lambda: asyncio.run(server.cleanup()))
        assert server.session is None
    assert {one, *(text for text, _ in others)} == {"tea: 7 EUR"}
    assert len({count for _, count in others}) == 1


_LEFT = f"""
import asyncio, os, sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_loops import price
from outlast.mcp import MCPServerStdio

server = MCPServerStdio({{"command": sys.executable, "args": [{str(SHOP)!r}, "stdio"]}})

async def fork():
    await server.connect()
    if (child := os.fork()) == 0:
        thread = threading.Thread(target=lambda: print("child", asyncio.run(price(server)), flush=True))
        thread.start()
        thread.join(60)
        os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        await asyncio.sleep(0.02)
    print("parent", await price(server))
    await server.cleanup()

async def leave():
    await server.connect()
    return await price(server)

if sys.argv[1] == "fork":
    asyncio.run(fork())
else:
    print("left", asyncio.new_event_loop().run_until_complete(leave()))
    print("here", asyncio.run(price(server)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
@pytest.mark.parametrize(
    ("what", "said"), [("fork", ["child", "parent"]), ("loop", ["left", "here"])]
)
def test_what_was_left_behind_is_opened_anew(what: str, said: list[str], tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LEFT, what],
        env={**os.environ, "SHOP_LOG": str(tmp_path / "log")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.splitlines() == [f"{each} tea: 7 EUR" for each in said], done.stderr
