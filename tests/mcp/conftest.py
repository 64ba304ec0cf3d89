"""Real servers in three transports."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from outlast.mcp import MCPServerSse, MCPServerStdio, MCPServerStreamableHttp

SERVERS = Path(__file__).parent / "servers"
SHOP = SERVERS / "shop.py"
TRANSPORTS = ("stdio", "sse", "streamable-http")


class Shop:
    """The shop's server: how to reach it, and what it was asked for."""

    def __init__(self, folder: Path, transport: str) -> None:
        self.log = folder / "shop.log"
        self.transport = transport
        self.env = {"SHOP_LOG": str(self.log)}
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start the process, for the transports over HTTP."""
        if self.transport == "stdio":
            return
        self.port = self.port or free_port()
        self.process = subprocess.Popen(
            [sys.executable, str(SHOP), self.transport, str(self.port)],
            env={**os.environ, **self.env},
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.port)

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def server(self, **settings: Any) -> Any:
        """A new server object, without a connection."""
        settings.setdefault("name", "shop")
        settings.setdefault("client_session_timeout_seconds", 60)  # of busy machines
        if self.transport == "stdio":
            params: Any = {"command": sys.executable, "args": [str(SHOP), "stdio"], "env": self.env}
            return MCPServerStdio(params, **settings)
        if self.transport == "sse":
            return MCPServerSse({"url": f"http://127.0.0.1:{self.port}/sse"}, **settings)
        return MCPServerStreamableHttp({"url": f"http://127.0.0.1:{self.port}/mcp"}, **settings)

    def calls(self, tool: str | None = None) -> list[dict[str, Any]]:
        """What the server has noted."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        notes = [json.loads(line) for line in lines]
        return [each for each in notes if tool in (None, each["tool"])]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int) -> None:
    """Return once somebody listens."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(port)


@pytest.fixture
def opened(tmp_path: Path) -> Generator[Callable[[str], Shop]]:
    """Opens shops, by transport."""
    shops: list[Shop] = []

    def make(transport: str) -> Shop:
        shop = Shop(tmp_path, transport)
        shops.append(shop)
        shop.start()
        return shop

    yield make
    for shop in shops:
        shop.stop()


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest, opened: Callable[[str], Shop]) -> Shop:
    """The shop, in each of the transports."""
    return opened(request.param)


@pytest.fixture
def stdio_shop(opened: Callable[[str], Shop]) -> Shop:
    """The shop as a process of ours."""
    return opened("stdio")
