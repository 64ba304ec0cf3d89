"""A stdio server's process: how it is started, what it said on stderr, and how it ended."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from outlast.mcp.errors import MCPCommandNotAllowed, MCPCommandNotFound
from outlast.mcp.library import module
from outlast.mcp.names import printable
from outlast.mcp.pipes import Limits, Signs, piped_streams

KEPT_BYTES = 8_192
SHOWN_CHARACTERS = 1_000
_KEEPER = str(Path(__file__).with_name("keeper.py"))


class Stderr:
    """The last of what a process writes to stderr. It is read, so the process never waits for us."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._size = 0
        self.is_over = asyncio.Event()
        """Whether all who could write to it have ended."""
        self.signs = Signs()
        self.is_started = asyncio.Event()
        """Whether the process runs, and ends with the block that started it."""

    def add(self, part: bytes) -> None:
        """Keep ``part``, and forget the oldest for it."""
        self._parts.append(part)
        self._size += len(part)
        while self._size - len(self._parts[0]) >= KEPT_BYTES:
            self._size -= len(self._parts.popleft())

    @property
    def text(self) -> str:
        """What is kept of it; control characters are written out."""
        text = b"".join(self._parts)[-KEPT_BYTES:].decode(errors="replace").strip()
        if len(text) > SHOWN_CHARACTERS:
            text = "…" + text[-SHOWN_CHARACTERS:]
        return printable(text)


def _command(params: Any) -> tuple[str, list[str]]:
    """The command with the keeper before it, where there can be one."""
    if os.name != "posix" or not sys.executable:
        return params.command, list(params.args)
    return sys.executable, ["-I", "-S", _KEEPER, str(os.getpid()), params.command, *params.args]


def require_command(params: Any) -> None:
    """Refuse a command that is not there, as starting it would.

    Raises:
        MCPCommandNotFound: There is no such file on the path, or no such folder.
        MCPCommandNotAllowed: It is no program.
    """
    if os.name != "posix":
        return
    base = Path(params.cwd) if params.cwd is not None else Path()
    if params.cwd is not None and not base.is_dir():
        raise MCPCommandNotFound(
            f"An MCP server is to be started in {printable(str(params.cwd))!r}, which is no folder. "
            "Name one that is there in params={'cwd': ...}."
        )
    named = params.command
    is_path = os.sep in named
    env: dict[str, str] = params.env or {}
    path = env.get("PATH", os.environ.get("PATH"))
    if shutil.which(str(base / named) if is_path else named, path=path):
        return
    start = f"The command {printable(named)!r} of an MCP server cannot be started: "
    if is_path and (base / named).exists():
        raise MCPCommandNotAllowed(f"{start}it is no program. Make it one: chmod +x.")
    where = "there is no such file" if is_path else "it is on no folder of the PATH"
    raise MCPCommandNotFound(f"{start}{where}. Install it, or name it with its whole path.")


@asynccontextmanager
async def stdio_streams(params: Any, stderr: Stderr, limits: Limits) -> AsyncGenerator[Any]:
    """The streams of a server that this starts, and ends with all that it has started.

    Args:
        params: The library's, with a command that is there.
        stderr: Keeps what the server writes there.
        limits: Of its messages, and of our patience.
    """
    command, args = _command(params)
    kept = params.model_copy(update={"command": command, "args": args})
    reader, writer = os.pipe()
    loop = asyncio.get_running_loop()
    os.set_blocking(reader, False)
    loop.add_reader(reader, _drain, loop, reader, stderr)
    errlog = os.fdopen(writer, "w", encoding="utf-8", errors="replace")
    try:
        async with _streams(kept, errlog, limits, stderr) as streams:
            stderr.is_started.set()
            errlog.close()  # Its other copies are the server's, so the pipe ends with them.
            yield streams
    finally:
        errlog.close()
        _drain(loop, reader, stderr)
        loop.remove_reader(reader)
        os.close(reader)


def _streams(
    params: Any, errlog: Any, limits: Limits, stderr: Stderr
) -> AbstractAsyncContextManager[Any]:
    is_usual = (params.encoding, params.encoding_error_handler) == ("utf-8", "strict")
    if os.name != "posix" or not is_usual:
        return module().stdio_client(params, errlog=errlog)
    return piped_streams(params, errlog, limits, stderr.signs)


def _drain(loop: asyncio.AbstractEventLoop, reader: int, stderr: Stderr) -> None:
    while True:
        try:
            part = os.read(reader, 65_536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            loop.remove_reader(reader)
            stderr.is_over.set()
            return
        stderr.add(part)
