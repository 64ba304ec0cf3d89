"""What serving an agent costs, beside the smallest FastAPI app around openai-agents, in one run.

    python benchmarks/serve.py [--clients 1,50,500] [--seconds 5] [--python PEER=PATH] [--write]

Both serve the same agent, whose model answers at once: it calls a tool, then writes 20 deltas. Each
measurement is a server of its own; they take turns. `run` is one request that answers with the output,
`stream` one that streams it. Memory is what 1,000 streams of replies that never end add to the server.
Makes the other SDK's environment in .bench/. With --write, benchmarks/SERVING.md.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
RESULTS = HERE / "SERVING.md"
OPEN_STREAMS = 1000


class Peer(NamedTuple):
    label: str
    module: str
    more: tuple[str, ...]
    paths: dict[str, tuple[str, dict[str, Any]]]
    """For each kind of request, its path and its body."""


def _outlast(label: str, durability: str) -> Peer:
    said = {"role": "user", "content": "INPUT"}
    chat = {"model": "bench", "stream": True, "messages": [said]}
    paths = {
        "run": ("/api/v1/runs", {"input": "INPUT"}),
        "stream": ("/v1/chat/completions", chat),
    }
    return Peer(label, "outlast", (durability,), paths)


PEERS = (
    Peer(
        "openai-agents",
        "agents",
        (),
        {"run": ("/runs", {"input": "INPUT"}), "stream": ("/stream", {"input": "INPUT"})},
    ),
    _outlast("outlast", "process"),
    _outlast("outlast (power-safe)", "power"),
)


class Answer(NamedTuple):
    first_s: float
    whole_s: float


def request_bytes(peer: Peer, kind: str, text: str = "What is the weather?") -> bytes:
    path, body = peer.paths[kind]
    sent = json.dumps(body).replace("INPUT", text).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Prefer: wait=60\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent


class Client:
    """One connection that asks again and again."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, sent: bytes) -> Answer:
        began = time.perf_counter()
        self._writer.write(sent)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith((b"http/1.1 200", b"http/1.1 202")):
            raise RuntimeError(head.decode("latin-1"))
        if b"content-length: " in head:
            size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            first = time.perf_counter()
            await self._reader.readexactly(size)
        else:
            first = await self._chunks()
        return Answer(first - began, time.perf_counter() - began)

    async def _chunks(self) -> float:
        first = 0.0
        while size := int(await self._reader.readline(), 16):
            await self._reader.readexactly(size + 2)
            first = first or time.perf_counter()
        await self._reader.readline()
        return first

    async def first_chunk(self, sent: bytes) -> None:
        self._writer.write(sent)
        await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readline()

    def close(self) -> None:
        self._writer.close()


async def load(port: int, sent: bytes, clients: int, seconds: float) -> dict[str, float]:
    """The figures of so many clients that ask for so many seconds."""
    answers: list[Answer] = []
    began = time.perf_counter()

    async def one() -> None:
        client = Client(port)
        await client.open()
        while time.perf_counter() < began + seconds:
            answers.append(await client.ask(sent))
        client.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    figures = {"runs/s": len(answers) / (time.perf_counter() - began)}
    for name, values in (
        ("first byte", [each.first_s for each in answers]),
        ("end", [each.whole_s for each in answers]),
    ):
        cuts = statistics.quantiles(values, n=100) if len(values) > 1 else values * 99
        figures |= {f"{name} p50": 1e3 * cuts[49], f"{name} p99": 1e3 * cuts[98]}
    return figures


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def memory(peer: Peer, port: int, pid: int) -> float:
    """What so many open streams add to a server, in MB."""
    before = memory_mb(pid)
    clients = [Client(port) for _ in range(OPEN_STREAMS)]
    sent = request_bytes(peer, "stream", "hold")
    for start in range(0, OPEN_STREAMS, 50):
        some = clients[start : start + 50]
        await asyncio.gather(*(client.open() for client in some))
        await asyncio.gather(*(client.first_chunk(sent) for client in some))
    grown = memory_mb(pid) - before
    for client in clients:
        client.close()
    return grown


@contextlib.contextmanager
def server(peer: Peer, python: str) -> Any:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_TMP")) as folder:
        words = [python, str(HERE / "serving_app.py"), peer.module, str(port), *peer.more]
        environment = {**os.environ, "OUTLAST_HOME": folder, "OPENAI_API_KEY": "none"}
        process = subprocess.Popen(words, env=environment)
        try:
            _wait_for(port, process)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("The server did not come up.")


def peer_python() -> str:
    """The environment of the other SDK, made if it is not there."""
    place = HERE.parent / ".bench" / "serving"
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        wanted = ["openai-agents==0.24.0", "fastapi", "uvicorn"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True)
    return str(python)


def measure(pythons: dict[str, str], clients: list[int], seconds: float) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for kind in ("run", "stream"):
        for count in clients:
            for peer in PEERS:
                with server(peer, pythons[peer.module]) as (port, _):
                    sent = request_bytes(peer, kind)
                    asyncio.run(load(port, sent, min(count, 20), 1.0))
                    found[peer.label, kind, count] = asyncio.run(load(port, sent, count, seconds))
    for peer in PEERS:
        with server(peer, pythons[peer.module]) as (port, pid):
            asyncio.run(load(port, request_bytes(peer, "stream"), 10, 1.0))
            found[peer.label, "memory"] = asyncio.run(memory(peer, port, pid))
    return found


def table(found: dict[Any, Any], clients: list[int]) -> str:
    """The figures, in brackets the ratio to the first peer."""
    labels = [peer.label for peer in PEERS]
    lines = [f"| | {' | '.join(labels)} |", "|---" + "|--:" * len(labels) + "|"]
    for kind in ("run", "stream"):
        for count in clients:
            some = [found[label, kind, count] for label in labels]
            skipped = "first byte" if kind == "run" else "-"
            names = [name for name in some[0] if not name.startswith(skipped)]
            for name in names:
                unit = "" if name == "runs/s" else ", ms"
                row = f"{kind}, {count} client{'s' * (count > 1)}: {name}{unit}"
                lines.append(_row(row, [figures[name] for figures in some]))
    values = [found[label, "memory"] for label in labels]
    lines.append(_row(f"memory of {OPEN_STREAMS:,} open streams, MB", values))
    return "\n".join(lines)


def _row(name: str, values: list[float]) -> str:
    first, *others = values
    cells = [f"{first:,.1f}", *(f"{value:,.1f} ({value / first:.2f})" for value in others)]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", default="1,50,500")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--python", action="append", default=[], metavar="PEER=PATH")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    pythons = {"outlast": sys.executable} | dict(each.split("=", 1) for each in options.python)
    if "agents" not in pythons:
        pythons["agents"] = peer_python()
    clients = [int(count) for count in options.clients.split(",")]
    text = table(measure(pythons, clients, options.seconds), clients)
    print(text)
    if options.write:
        head = (
            "# What serving costs\n\nWritten by `python benchmarks/serve.py --write` on "
            f"{os.cpu_count()} cores, which the clients use too. In brackets the ratio to the first "
            "column. Outlast keeps each run on disk before it answers; the other keeps nothing.\n\n"
        )
        RESULTS.write_text(f"{head}{text}\n")


if __name__ == "__main__":
    main()
